"""Crontab schedules as the cron that runs them reads them: the next run, and what is wrong with a line. Pure.

Two crons are known, and they disagree: about the nights on which the clock changes, about ``*/2`` beside a day of
the week, and about what they take at all. Both are held against the real ones (tests/schedules).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, Protocol

from bot.domain.core.cron import debian, supercronic
from bot.domain.core.cron.clock import WallClock
from bot.domain.core.cron.lines import Wrong, shown, wrong

Dialect = Literal["supercronic", "debian"]
"""Whose reading of a crontab counts: supercronic's, or that of Debian's cron."""
DIALECTS: tuple[Dialect, ...] = ("supercronic", "debian")
NEVER = "it never runs: there is no such date or time"


class Line(Protocol):
    """A schedule that was read."""

    @property
    def by_the_second(self) -> bool:
        """Whether it may run within a minute."""

    def next_run(self, clock: WallClock, after: int) -> int | None:
        """The first run after a moment, both in seconds since the epoch. None: it never runs."""


_NAMES: dict[Dialect, str] = {"supercronic": supercronic.CRON, "debian": debian.CRON}
_READERS: dict[Dialect, Callable[[str], Line]] = {"supercronic": supercronic.read, "debian": debian.read}
_START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())


def name_of(dialect: Dialect) -> str:
    """How messages call the cron of a dialect."""
    return _NAMES[dialect]


def next_run(schedule: str, zone: str, after: datetime, dialect: Dialect) -> datetime:
    """The first run after a moment, and never at or before it; in UTC.

    ``zone`` is the IANA name of the zone that the cron itself runs in. Raises ValueError for what
    :func:`check_crontab` refuses.
    """
    seconds = int(after.timestamp() // 1)
    if not _line(schedule, dialect).by_the_second:
        seconds -= seconds % 60
    return _next_run(schedule, zone, seconds, dialect)


@lru_cache(maxsize=4096)
def _next_run(schedule: str, zone: str, after: int, dialect: Dialect) -> datetime:
    """Kept, since many jobs are asked about again and again while nothing changes."""
    run = _line(schedule, dialect).next_run(WallClock(zone), after)
    if run is None:
        raise _refused(schedule, dialect, Wrong(NEVER))
    return datetime.fromtimestamp(run, UTC)


@lru_cache(maxsize=1024)
def _line(schedule: str, dialect: Dialect) -> Line:
    try:
        return _READERS[dialect](shown(schedule))
    except Wrong as error:
        raise _refused(schedule, dialect, error) from None


def check_crontab(schedule: str, dialect: Dialect) -> None:
    """Raise ValueError for what that cron does not take or never runs, showing what is wrong in the line."""
    if _line(schedule, dialect).next_run(WallClock("UTC"), _START) is None:
        raise _refused(schedule, dialect, Wrong(NEVER))


def _refused(schedule: str, dialect: Dialect, error: Wrong) -> ValueError:
    others = [name_of(other) for other in DIALECTS if other != dialect and _takes(schedule, other)]
    hint = f"; {others[0]} takes it" if others else ""
    return wrong(shown(schedule), error.where, f"{error.why}{hint}", name_of(dialect))


def _takes(schedule: str, dialect: Dialect) -> bool:
    try:
        return _READERS[dialect](shown(schedule)).next_run(WallClock("UTC"), _START) is not None
    except Wrong:
        return False
