"""A check fails: one of the runbook that has an alert, or a built-in one that nothing else watches."""

from __future__ import annotations

from collections.abc import Collection

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.target import Target
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.source import ProblemSource


@dataclass(frozen=True)
class _Check(ProblemSource):
    def recovered(self, problem: Problem) -> str:
        return f"{problem.subject}: as expected again"

    def orphaned(
        self,
        problem: Problem,
        target: Target,  # noqa: ARG002 - ``checks`` are the target's
        *,
        heartbeats: bool,  # noqa: ARG002 - no job's
        checks: Collection[str] = (),
    ) -> str:
        return "" if self.check_of(problem) in checks else "the check raises no alerts any more"

    def check_of(self, problem: Problem) -> str:
        """The name of the check that the problem is about."""
        return problem.key.removeprefix(f"{self.name}:{problem.target}:")

    def says(self, problem: Problem) -> Collection[str]:
        return (self.check_of(problem),)

    def alert_name(self, problem: Problem) -> str:
        return f"{problem.target}-{self.check_of(problem)}"


CHECK = _Check("check", kind="pod")
