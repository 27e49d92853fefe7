"""Sources of problems, each of which defines what is special about its problems.

Every `ProblemSource` in a module of this package is registered; its problems are detected by a watcher in
`bot/services/incidents/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bot.domain.core.registry import Registry, found_in
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.source import ProblemSource


def _place(source: ProblemSource) -> tuple[bool, bool, str]:
    return source.name != source.stored, source.one_target, source.name


BUILTIN: tuple[ProblemSource, ...] = tuple(sorted(found_in(__name__, ProblemSource), key=_place))
"""All sources. The first of those that share a stored kind is the fallback for its unknown keys: the one that is
named like the kind, or is about all targets.
"""


class ProblemSources:
    """A registry of sources, which can be looked up by stored kind and key."""

    def __init__(self, sources: Iterable[ProblemSource]) -> None:
        """Raises ValueError for duplicate names."""
        self._sources = Registry("problem source", sources)
        self._of_kind: dict[str, list[ProblemSource]] = {}
        for one in self._sources:
            self._of_kind.setdefault(one.stored, []).append(one)

    def __iter__(self) -> Iterator[ProblemSource]:
        return iter(self._sources)

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
