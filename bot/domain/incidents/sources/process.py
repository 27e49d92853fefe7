"""A process in the pod that is expected and does not run: `bot.domain.incidents.inside_watch` looks for it."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.core.target import Target
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.source import ProblemSource


@dataclass(frozen=True)
class _Process(ProblemSource):
    def keys(self, target: Target) -> frozenset[str]:
        """The keys of all processes that are expected of a target."""
        return frozenset(self.key(target.name, c.name, p.name) for c in target.containers for p in c.processes)

    def orphaned(self, problem: Problem, target: Target, *, heartbeats: bool) -> str:  # noqa: ARG002 - no job's
        return "" if problem.key in self.keys(target) else "the process is no longer in the settings"


PROCESS = _Process("process", kind="pod", diagnosis="processes")
