"""Where problems come from: what differs between them is said by their source, and asked of nobody else.

A new source is one module here and one line in `BUILTIN`; who looks for its problems is a watcher in
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
"""Those in code, in the order in which they are asked."""


class ProblemSources:
    """Sources, and those of each kind that is stored."""

    def __init__(self, sources: Iterable[ProblemSource]) -> None:
        """Raises ValueError where two have one name."""
        self._sources = Registry("problem source", sources)
        self._of_kind: dict[str, list[ProblemSource]] = {}
        for one in self._sources:
            self._of_kind.setdefault(one.stored, []).append(one)

    def register(self, source: ProblemSource) -> None:
        """Add one. Raises ValueError where its name is taken."""
        self._sources = self._sources.with_([source])
        self._of_kind.setdefault(source.stored, []).append(source)

    def find(self, kind: str, key: str) -> ProblemSource | None:
        """The one of a kind whose key it is; where it is nobody's, the first of the kind."""
        found = self._of_kind.get(kind, [])
        if len(found) < 2:
            return found[0] if found else None
        return next((one for one in found if one.owns(key)), found[0])


KNOWN = ProblemSources(BUILTIN)
"""Those of this process."""


def of(problem: Problem) -> ProblemSource:
    """The source of a problem. One of a kind that nobody knows is shown by its own words."""
    return KNOWN.find(problem.kind, problem.key) or ProblemSource(problem.kind)


def known(problem: Problem) -> bool:
    """Whether its source is known here: another version of agentpod may have others."""
    return KNOWN.find(problem.kind, problem.key) is not None
