"""Which downtimes of a pod were restarts that somebody had asked for: planned, and so no alarm. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.intervals import Interval, What, cut, merged
from bot.domain.core.target import POD
from bot.domain.digest.day import Day, DayTrack, DigestFacts

NOTICED_WITHIN = timedelta(seconds=30)
"""How much later than the repair the bot may have noticed that the pod is ready."""


def are_planned(lane: DayTrack, day: Day, facts: DigestFacts) -> bool:
    """Whether the pod was down, and each time for a restart of this day that succeeded."""
    downs = [span for span in lane.spans if span.what is What.DOWN]
    return (
        bool(downs)
        and lane.subject == POD
        and all(_explaining(one, _restarts(day, facts.repairs)) for one in downs)
    )


def timed(day: Day, repairs: Sequence[RepairRequest]) -> Day:
    """The day with each planned downtime as long as the restart's card says: polls see it less exactly."""
    spans = [_timed(span, _restarts(day, repairs), day) for span in day.pod.spans]
    return replace(day, pod=replace(day.pod, spans=merged(spans)))


def _timed(span: Interval, restarts: Sequence[RepairRequest], day: Day) -> Interval:
    by = _explaining(span, restarts) if span.what is What.DOWN else None
    if by is None or by.outcome is None or not by.outcome.seconds:
        return span
    began = by.outcome.at - timedelta(seconds=by.outcome.seconds)
    return cut(What.DOWN, began, by.outcome.at, day.window) or span


def _restarts(day: Day, repairs: Sequence[RepairRequest]) -> Sequence[RepairRequest]:
    return [
        repair
        for repair in repairs
        if repair.target == day.target and repair.action.restarts and repair.state is RequestState.SUCCEEDED
    ]


def _explaining(down: Interval, restarts: Sequence[RepairRequest]) -> RepairRequest | None:
    """The restart with which a downtime began and ended; None for a downtime of its own."""
    for repair in restarts:
        if not repair.request.decisions or repair.outcome is None:
            continue
        if repair.request.decisions[-1].at <= down.start and down.end <= repair.outcome.at + NOTICED_WITHIN:
            return repair
    return None
