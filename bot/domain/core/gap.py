"""Gaps in the connection to Slack, and which of them are long enough to report. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LONG = timedelta(minutes=2)
"""Shorter gaps are not reported: Slack redelivers what it could not deliver."""


@dataclass(frozen=True)
class Gap:
    """An interval without a connection to Slack, in seconds of a monotonic clock.

    ``start`` is None for the time before this process first connected.
    """

    start: float | None
    end: float


def reported(
    gaps: Sequence[Gap], heard: datetime | None, now: datetime, monotonic: float, every: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    """Yield start and end of each gap that is long enough to report.

    ``heard`` is the last recorded time at which any process was connected; it is recorded at intervals of
    ``every``. No gap begins before it, and a gap with an unknown start begins there.
    """
    for gap in gaps:
        end = now - timedelta(seconds=monotonic - gap.end)
        start = heard if gap.start is None else now - timedelta(seconds=monotonic - gap.start)
        if start is None:
            continue
        start = max(start, heard) if heard is not None else start
        if end - start > (max(LONG, 2 * every) if gap.start is None else LONG):
            yield start, end
