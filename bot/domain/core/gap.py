"""Times without Slack, and which of them people have to hear of. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LONG = timedelta(minutes=2)
"""What is shorter is nobody's business: Slack delivers again what it could not."""


@dataclass(frozen=True)
class Gap:
    """A time without Slack, by a monotonic clock in seconds.

    ``start`` is None for the time before this process could hear at all.
    """

    start: float | None
    end: float


def told(
    gaps: Sequence[Gap], heard: datetime | None, now: datetime, monotonic: float, every: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    """The gaps that are long, from when to when.

    ``heard`` is when any process is known to have heard last before: it says so ``every`` so often, and no gap
    begins before it. Where nobody knows when the gap began, it counts from there.
    """
    for gap in gaps:
        end = now - timedelta(seconds=monotonic - gap.end)
        start = heard if gap.start is None else now - timedelta(seconds=monotonic - gap.start)
        if start is None:
            continue
        start = max(start, heard) if heard is not None else start
        if end - start > (max(LONG, 2 * every) if gap.start is None else LONG):
            yield start, end
