"""Convert between moments and the wall time of a time zone. Pure.

A moment is in whole seconds since the epoch. A wall time is the local date and time, written as the moment at
which a clock in UTC would show the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = 60, 3600, 86_400


class WallClock:
    """The wall clock of a time zone."""

    def __init__(self, zone: str) -> None:
        """``zone`` is an IANA name."""
        self.zone = zone
        self._tz = ZoneInfo(zone)

    def offset(self, moment: int) -> int:
        """The UTC offset at a moment, in seconds."""
        return _seconds(datetime.fromtimestamp(moment, self._tz))

    def shows(self, moment: int) -> int:
        """The wall time at a moment."""
        return moment + self.offset(moment)

    def around(self, wall: int) -> tuple[int, int]:
        """The offsets before and after the clock change that a wall time falls into; else one offset twice."""
        at = datetime.fromtimestamp(wall, UTC).replace(tzinfo=self._tz)
        return _seconds(at), _seconds(at.replace(fold=1))

    def change(self, start: int, end: int) -> int | None:
        """The first moment after ``start`` and up to ``end`` at which the offset changes; None: it doesn't."""
        return _change(self.zone, start, end)

    def _change(self, start: int, end: int) -> int | None:
        before = self.offset(start)
        later = next((at for at in range(start, end + 3 * HOUR, 3 * HOUR) if self.offset(at) != before), None)
        if later is None:
            return None
        start = later - 3 * HOUR
        while later - start > 1:
            middle = (start + later) // 2
            start, later = (middle, later) if self.offset(middle) == before else (start, middle)
        return later if later <= end else None


@lru_cache(maxsize=1024)
def _change(zone: str, start: int, end: int) -> int | None:
    return WallClock(zone)._change(start, end)


def _seconds(at: datetime) -> int:
    offset = at.utcoffset()
    return 0 if offset is None else offset.days * DAY + offset.seconds
