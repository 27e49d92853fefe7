"""An expected process does not run in the pod; judged in `bot.domain.incidents.inside_watch`."""

from __future__ import annotations

from collections.abc import Collection

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.target import Target
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.source import ProblemSource


@dataclass(frozen=True)
class _Process(ProblemSource):
    def keys(self, target: Target) -> frozenset[str]:
        """The keys of all processes that are expected in a target."""
        return frozenset(self.key(target.name, c.name, p.name) for c in target.containers for p in c.processes)

    def orphaned(
        self,
        problem: Problem,
        target: Target,
        *,
        heartbeats: bool,  # noqa: ARG002 - no job's
        checks: Collection[str] = (),  # noqa: ARG002 - no check's
    ) -> str:
        return "" if problem.key in self.keys(target) else "the process is no longer in the settings"


PROCESS = _Process("process", kind="pod", diagnosis="processes", checks=("processes",))
