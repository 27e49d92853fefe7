"""Validate crontab schedules and compute their next run, as the cron that runs them does. Pure.

Two crons are supported, and they disagree: about the nights on which the clock changes, about ``*/2`` beside a day
of the week, and about the syntax. Both readers are tested against the real programs (tests/schedules).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, Protocol

from bot.domain.core.cron import debian, supercronic
from bot.domain.core.cron.clock import WallClock
from bot.domain.core.cron.lines import InvalidLine, shown, wrong

Dialect = Literal["supercronic", "debian"]
"""The cron whose rules apply."""
DIALECTS: tuple[Dialect, ...] = ("supercronic", "debian")
NEVER = "it never runs: there is no such date or time"


class CronLine(Protocol):
    """A parsed schedule."""

    @property
    def by_the_second(self) -> bool:
        """Whether it may run at other seconds than the first of a minute."""

    def next_run(self, clock: WallClock, after: int) -> int | None:
        """The first run after ``after``, both in seconds since the epoch. None: it never runs."""


_NAMES: dict[Dialect, str] = {"supercronic": supercronic.CRON, "debian": debian.CRON}
_READERS: dict[Dialect, Callable[[str], CronLine]] = {"supercronic": supercronic.read, "debian": debian.read}
START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
"""From when on a run is searched to find out whether a schedule ever runs."""


def name_of(dialect: Dialect) -> str:
    """The name of the cron of a dialect, for messages."""
    return _NAMES[dialect]


def reader_of(dialect: Dialect) -> Callable[[str], CronLine]:
    """The parser of a dialect's schedules, which raises `InvalidLine`."""
    return _READERS[dialect]


def next_run(schedule: str, zone: str, after: datetime, dialect: Dialect) -> datetime:
    """The first run strictly after ``after``, in UTC.

    ``zone`` is the IANA name of the zone that the cron itself runs in. Raises ValueError for what `check_crontab`
    refuses.
    """
    seconds = int(after.timestamp() // 1)
    if not _line(schedule, dialect).by_the_second:
        seconds -= seconds % 60
    return _next_run(schedule, zone, seconds, dialect)


@lru_cache(maxsize=4096)
def _next_run(schedule: str, zone: str, after: int, dialect: Dialect) -> datetime:
    """Cached, since every poll asks for the same next run of each job until it has run."""
    run = _line(schedule, dialect).next_run(WallClock(zone), after)
    if run is None:
        raise _refused(schedule, dialect, InvalidLine(NEVER))
    return datetime.fromtimestamp(run, UTC)


@lru_cache(maxsize=1024)
def _line(schedule: str, dialect: Dialect) -> CronLine:
    try:
        return _READERS[dialect](shown(schedule))
    except InvalidLine as error:
        raise _refused(schedule, dialect, error) from None


def check_crontab(schedule: str, dialect: Dialect) -> None:
    """Raise ValueError for a line that the cron refuses or never runs; the message marks what is wrong in it."""
    if _line(schedule, dialect).next_run(WallClock("UTC"), START) is None:
        raise _refused(schedule, dialect, InvalidLine(NEVER))


def _refused(schedule: str, dialect: Dialect, error: InvalidLine) -> ValueError:
    others = [name_of(other) for other in DIALECTS if other != dialect and _takes(schedule, other)]
    hint = f"; {others[0]} takes it" if others else ""
    return wrong(shown(schedule), error.where, f"{error.why}{hint}", name_of(dialect))


def _takes(schedule: str, dialect: Dialect) -> bool:
    try:
        return _READERS[dialect](shown(schedule)).next_run(WallClock("UTC"), START) is not None
    except InvalidLine:
        return False
