"""Which downtimes of a pod were restarts that somebody had asked for: planned, and so no alarm. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.intervals import Interval, What, cut, merged
from bot.domain.core.target import POD
from bot.domain.digest.day import Day, DayTrack, DigestFacts

NOTICED_WITHIN = timedelta(seconds=30)
"""How far what polls saw of a downtime may differ from what the restart measured, at both ends."""


def are_planned(lane: DayTrack, day: Day, facts: DigestFacts) -> bool:
    """Whether the pod was down, and each time for a restart of this day that succeeded."""
    downs = _downs(lane)
    return bool(downs) and lane.subject == POD and set(downs) == set(_planned(day, facts.repairs))


def timed(day: Day, repairs: Sequence[RepairRequest]) -> Day:
    """The day with each planned downtime marked, as long as the restart's card says: polls see it less exactly."""
    planned = _planned(day, repairs)
    exact = _with(day, merged(planned.get(span, span) for span in day.pod.spans))
    asked = _planned(exact, repairs)
    return _with(day, [replace(span, planned=span in asked) for span in exact.pod.spans])


def _with(day: Day, spans: Iterable[Interval]) -> Day:
    return replace(day, pod=replace(day.pod, spans=tuple(spans)))


def _planned(day: Day, repairs: Sequence[RepairRequest]) -> Mapping[Interval, Interval]:
    """The pod's downtimes that restarts explain, each with the downtime that its restart measured."""
    measured, downs = list(_measured(day, repairs)), _downs(day.pod)
    return {down: one for one in measured for down in downs if _within(down, one)}


def _downs(lane: DayTrack) -> Sequence[Interval]:
    return [span for span in lane.spans if span.what is What.DOWN]


def _measured(day: Day, repairs: Sequence[RepairRequest]) -> Iterator[Interval]:
    """The part of the day that each restart of its pod took which succeeded."""
    for repair in repairs:
        mine = repair.target == day.target and repair.action.restarts and repair.state is RequestState.SUCCEEDED
        if not mine or repair.outcome is None or not repair.outcome.seconds:
            continue
        ready = repair.action.ready_at(repair, repair.outcome.at)
        if span := cut(What.DOWN, ready - timedelta(seconds=repair.outcome.seconds), ready, day.window):
            yield span


def _within(down: Interval, measured: Interval) -> bool:
    """Whether a downtime is the restart's: one that began long before it, or lasted longer, is a failure."""
    overlap = down.start < measured.end and measured.start < down.end
    return overlap and max(measured.start - down.start, down.end - measured.end) <= NOTICED_WITHIN
