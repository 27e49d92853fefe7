"""Which downtimes of a pod were restarts that somebody had asked for: planned, and so no alarm. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.intervals import Interval, What
from bot.domain.core.target import POD
from bot.domain.digest.day import Day, DayTrack, DigestFacts

NOTICED_WITHIN = timedelta(seconds=30)
"""How much later than the repair the bot may have noticed that the pod is ready."""


def are_planned(lane: DayTrack, day: Day, facts: DigestFacts) -> bool:
    """Whether the pod was down, and each time for a restart of this day that succeeded."""
    downs = [span for span in lane.spans if span.what is What.DOWN]
    return bool(downs) and lane.subject == POD and all(_explained(one, _restarts(day, facts)) for one in downs)


def timed_by_lane(repair: RepairRequest, facts: DigestFacts) -> bool:
    """Whether the line of the pod says already how long this restart took."""
    return any(
        repair in _restarts(day, facts) and day.pod.downs == 1 and are_planned(day.pod, day, facts)
        for day in facts.days
    )


def _restarts(day: Day, facts: DigestFacts) -> Sequence[RepairRequest]:
    return [
        repair
        for repair in facts.repairs
        if repair.target == day.target and repair.action.restarts and repair.state is RequestState.SUCCEEDED
    ]


def _explained(down: Interval, restarts: Sequence[RepairRequest]) -> bool:
    """Whether a downtime began and ended with one of these restarts."""
    return any(
        repair.request.decisions[-1].at <= down.start and down.end <= repair.outcome.at + NOTICED_WITHIN
        for repair in restarts
        if repair.request.decisions and repair.outcome is not None
    )
