"""Compute when supercronic runs a line, as its cronexpr searches for the next matching time. Pure.

A day must match the day of the month *or* the day of the week where neither is ``*``. At a clock change, it takes
the next matching wall time, and converts it to a moment as Go's ``time.Date`` does.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from functools import lru_cache

from bot.domain.core.cron.clock import WallClock
from bot.domain.core.lazy_dataclass import dataclass

YEARS = 60
"""How far to search for a run, in years: the calendar repeats after 28, and 2100 is no leap year."""


@dataclass(frozen=True)
class Days:
    """The days of a month on which it runs; None for ``*``."""

    of_month: frozenset[int] | None
    of_week: frozenset[int] | None
    """0 is Sunday."""
    workdays: frozenset[int] = frozenset()
    """``15W``: the weekday from Monday to Friday that is nearest to the date, within its month."""
    weeks: frozenset[tuple[int, int]] = frozenset()
    """``5#3``: the third Friday of a month, and ``5L``, the last one, as week 0."""
    last: bool = False
    last_workday: bool = False

    def within(self, year: int, month: int) -> tuple[int, ...]:
        """The days of one month, in order."""
        first, length = monthrange(year, month)
        if self.of_month is None and self.of_week is None:
            return tuple(range(1, length + 1))
        found: set[int] = set()
        if self.of_month is not None:
            found |= self._by_date(year, month, length)
        if self.of_week is not None:
            found |= self._by_weekday((first + 1) % 7, length)
        return tuple(sorted(found))

    def _by_date(self, year: int, month: int, length: int) -> set[int]:
        found = {day for day in self.of_month or () if day <= length}
        found |= {_workday(year, month, day, length) for day in self.workdays if day <= length}
        if self.last:
            found.add(length)
        if self.last_workday:
            found.add(_workday(year, month, length, length))
        return found

    def _by_weekday(self, first: int, length: int) -> set[int]:
        found = {day for day in range(1, length + 1) if (first + day - 1) % 7 in (self.of_week or ())}
        for weekday, week in self.weeks:
            days = range(1 + (weekday - first) % 7, length + 1, 7)
            if week <= len(days):
                found.add(days[week - 1])
        return found


def _workday(year: int, month: int, day: int, length: int) -> int:
    weekday = date(year, month, day).weekday()
    if weekday == 5:
        return day - 1 if day > 1 else day + 2
    if weekday == 6:
        return day + 1 if day < length else day - 2
    return day


@dataclass(frozen=True)
class SupercronicLine:
    """A parsed schedule: the values of each field, in order."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...]
    days: Days

    @property
    def by_the_second(self) -> bool:
        """Whether it may run at other seconds than the first of a minute."""
        return self.seconds != (0,)

    def next_run(self, clock: WallClock, after: int) -> int | None:
        """The first run after ``after``, in seconds since the epoch. None: it never runs.

        Near a clock change, the next matching wall time may convert to a moment in the past. supercronic then asks
        again until the wall clock has passed that time; so does this.
        """
        wall = self._next_wall(clock.shows(after))
        while wall is not None and (run := _moment(clock, wall)) <= after:
            passed = after + max(wall - clock.shows(after), 1)
            after = clock.change(after, passed) or passed
            wall = self._next_wall(clock.shows(after))
        return None if wall is None else run

    def _next_wall(self, wall: int) -> int | None:
        """The first wall time after ``wall`` that matches every field."""
        found = self._fits(datetime.fromtimestamp(wall, UTC))
        return None if found is None else int(found.timestamp())

    def _fits(self, at: datetime) -> datetime | None:
        """The next matching time: advance the smallest field that can be advanced."""
        if at.month not in self.months or at.day not in self._days(at.year, at.month):
            return self._next_day(at)
        if at.hour not in self.hours:
            return self._next_hour(at)
        if at.minute in self.minutes and (second := _later(self.seconds, at.second)) is not None:
            return at.replace(second=second)
        if (minute := _later(self.minutes, at.minute)) is not None:
            return at.replace(minute=minute, second=self.seconds[0])
        return self._next_hour(at)

    def _next_hour(self, at: datetime) -> datetime | None:
        if (hour := _later(self.hours, at.hour)) is not None:
            return at.replace(hour=hour, minute=self.minutes[0], second=self.seconds[0])
        return self._next_day(at)

    def _next_day(self, at: datetime) -> datetime | None:
        first = time(self.hours[0], self.minutes[0], self.seconds[0], tzinfo=UTC)
        if at.month in self.months and (day := _later(self._days(at.year, at.month), at.day)) is not None:
            return datetime.combine(at.replace(day=day), first)
        for year in range(at.year, min(at.year + YEARS, 9999)):
            for month in self.months:
                if (year, month) > (at.year, at.month) and (days := self._days(year, month)):
                    return datetime.combine(date(year, month, days[0]), first)
        return None

    def _days(self, year: int, month: int) -> tuple[int, ...]:
        return _days_within(self.days, year, month)


@lru_cache(maxsize=4096)
def _days_within(days: Days, year: int, month: int) -> tuple[int, ...]:
    return days.within(year, month)


def _later(values: Sequence[int], than: int) -> int | None:
    position = bisect_right(values, than)
    return values[position] if position < len(values) else None


def _moment(clock: WallClock, wall: int) -> int:
    """Convert a wall time to a moment as Go's ``time.Date`` does, also for a skipped or repeated time."""
    return wall - clock.offset(wall - clock.offset(wall))
