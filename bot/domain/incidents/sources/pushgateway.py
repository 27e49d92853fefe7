"""The Pushgateway can't be read, so nothing is known of any job."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.target import Target
from bot.domain.heartbeats.judge_heartbeats import SEE
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.heartbeat import UNREAD
from bot.domain.incidents.sources.source import UnavailableSource

EMPTY = "has lost all heartbeats"
"""The summary where it answers, and holds nothing any more."""


UNREACHED = "can't be reached"
"""The summary where no connection to it can be made."""


@dataclass(frozen=True)
class _Pushgateway(UnavailableSource):
    one_target: ClassVar[bool] = False

    def key(self, target: str = "", *about: str) -> str:  # noqa: ARG002 - all targets have the same one
        """The key of its only problem."""
        return self.name

    def recovered(self, problem: Problem) -> str:
        if problem.summary == EMPTY:
            return f"{problem.subject} holds heartbeats again"
        if problem.summary == UNREACHED:
            return f"{problem.subject} can be reached again"
        return super().recovered(problem)

    def orphaned(
        self,
        problem: Problem,  # noqa: ARG002 - all targets have the same one
        target: Target,  # noqa: ARG002
        *,
        heartbeats: bool,
        checks: Collection[str] = (),  # noqa: ARG002
    ) -> str:
        return "" if heartbeats else UNREAD


PUSHGATEWAY = _Pushgateway(
    "source:pushgateway",
    subject="the Pushgateway",
    diagnosis="heartbeats",
    checks=("heartbeats", "pushgateway"),
    remedy=SEE,
    meaning="The state of every job is unknown: none counts as stale, and none as healthy.",
)
