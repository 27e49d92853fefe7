"""Sources of problems, each of which defines what is special about its problems.

A new source is one module here and one line in `BUILTIN`; its problems are detected by a watcher in
`bot/services/incidents/`.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.core.registry import Registry
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.cluster import CLUSTER
from bot.domain.incidents.sources.disk import DISK
from bot.domain.incidents.sources.heartbeat import HEARTBEAT
from bot.domain.incidents.sources.inside import INSIDE
from bot.domain.incidents.sources.pod import POD_HEALTH
from bot.domain.incidents.sources.process import PROCESS
from bot.domain.incidents.sources.pushgateway import PUSHGATEWAY
from bot.domain.incidents.sources.restarts import POD_RESTARTS
from bot.domain.incidents.sources.source import ProblemSource
from bot.domain.incidents.sources.task import TASK

BUILTIN: tuple[ProblemSource, ...] = (
    HEARTBEAT,
    PUSHGATEWAY,
    POD_HEALTH,
    POD_RESTARTS,
    CLUSTER,
    INSIDE,
    PROCESS,
    DISK,
    TASK,
)
"""All sources, in the order in which they are searched."""


class ProblemSources:
    """A registry of sources, which can be looked up by stored kind and key."""

    def __init__(self, sources: Iterable[ProblemSource]) -> None:
        """Raises ValueError for duplicate names."""
        self._sources = Registry("problem source", sources)
        self._of_kind: dict[str, list[ProblemSource]] = {}
        for one in self._sources:
            self._of_kind.setdefault(one.stored, []).append(one)

    def register(self, source: ProblemSource) -> None:
        """Add a source. Raises ValueError if its name is taken."""
        self._sources = self._sources.with_([source])
        self._of_kind.setdefault(source.stored, []).append(source)

    def find(self, kind: str, key: str) -> ProblemSource | None:
        """The source of a stored kind that owns the key; the first of the kind if none does.

        None: unknown kind.
        """
        found = self._of_kind.get(kind, [])
        if len(found) < 2:
            return found[0] if found else None
        return next((one for one in found if one.owns(key)), found[0])


KNOWN = ProblemSources(BUILTIN)
"""The sources of this process."""


def of(problem: Problem) -> ProblemSource:
    """The source of a problem; a default source for an unknown kind."""
    return KNOWN.find(problem.kind, problem.key) or ProblemSource(problem.kind)


def known(problem: Problem) -> bool:
    """Whether the problem's source is known; another version of agentpod may have others."""
    return KNOWN.find(problem.kind, problem.key) is not None
