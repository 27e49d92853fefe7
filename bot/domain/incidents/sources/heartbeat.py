"""A job's heartbeat is overdue, its push failed, or it can't be judged."""

from __future__ import annotations

from collections.abc import Collection

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.target import Target, canonical_job
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.source import ProblemSource

UNREAD = "the settings have no Pushgateway any more"
"""Why incidents of its jobs are closed."""
FAILED = "its last push failed"
"""The summary of a job whose last push the Pushgateway refused."""
DEFECT = "can't be judged"
"""How the summary of a job begins that can't be judged."""


@dataclass(frozen=True)
class _Heartbeat(ProblemSource):
    def key(self, target: str, *about: str) -> str:
        """The key of a job's problem, from any spelling of the job's name."""
        return super().key(target, *map(canonical_job, about))

    def explained(self, problem: Problem) -> bool:
        """Whether the job runs in the pod."""
        return problem.restart

    def recovered(self, problem: Problem) -> str:
        if problem.summary == FAILED:
            return f"{problem.subject}'s pushes are accepted again"
        if problem.summary.startswith(DEFECT):
            return f"{problem.subject} can be judged again"
        return f"{problem.subject} sends heartbeats again"

    def orphaned(
        self,
        problem: Problem,
        target: Target,
        *,
        heartbeats: bool,
        checks: Collection[str] = (),  # noqa: ARG002 - no check's
    ) -> str:
        if not heartbeats:
            return UNREAD
        policies = {h.canonical: h for h in target.heartbeats}
        policy = policies.get(canonical_job(problem.subject))
        if policy is None:
            return "the job is no longer in the settings"
        return "the job is paused in the settings" if policy.paused else ""

    def alert_name(self, problem: Problem) -> str:
        return f"{canonical_job(problem.subject)}-stale"


HEARTBEAT = _Heartbeat("heartbeat", diagnosis="heartbeats", checks=("heartbeats",), first="cron")
