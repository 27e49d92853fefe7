"""Reclassify downtime within planned maintenance, so that it doesn't count against uptime. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from bot.domain.core.cron import next_run
from bot.domain.core.intervals import Interval, LocalDay, What
from bot.domain.incidents.alerting import Maintenance

NOT_UP = frozenset({What.DOWN, What.LATE})


def excused(
    spans: Iterable[Interval], planned: Sequence[Maintenance], target: str, job: str, of: LocalDay
) -> list[Interval]:
    """The parts of ``spans`` in which a job (``""``: the pod) was down or late during maintenance."""
    times = [time for one in planned if one.covers(target, job) for time in _times(one, of)]
    return [
        Interval(What.MAINTENANCE, max(span.start, start), min(span.end, end))
        for span in spans
        if span.what in NOT_UP
        for start, end in times
        if span.start < end and start < span.end
    ]


def _times(one: Maintenance, of: LocalDay) -> list[tuple[datetime, datetime]]:
    """Start and end of each run of a maintenance that may overlap the window."""
    if one.begins is not None:
        return [(one.begins, one.begins + one.lasts)]
    found, at = [], of.start - one.lasts
    while (at := next_run(one.schedule or "", one.timezone, at, one.cron)) < of.end:
        found.append((at, at + one.lasts))
    return found
