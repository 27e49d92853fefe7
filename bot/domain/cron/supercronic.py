"""Schedules as supercronic reads them: its cronexpr, field by field. Pure.

Seconds and a year are optional; ``L``, ``W`` and ``#`` are known; ``?`` is ``*``. A day has to fit its day of the
month *or* its day of the week where neither is ``*``, and ``*/2`` is not ``*``. Where the clock changes, it takes
the next wall time that fits, and Go's ``time.Date`` says which moment that is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache

from bot.domain.cron.clock import WallClock
from bot.domain.cron.lines import Where, Wrong, fields, shorthand

CRON = "supercronic"
YEARS = 60
"""Years in which a run has to come: the calendar repeats itself after 28, and 2100 is no leap year."""

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    "january february march april may june july august september october november december".split()  # noqa: SIM905 - shorter
)
_STEPS = {str(n) for n in range(10)} | {f"{n:02}" for n in range(60)}
"""How a step may be written."""


@dataclass(frozen=True)
class Field:
    """What one field takes."""

    name: str
    takes: str
    low: int
    high: int
    names: tuple[tuple[str, int], ...] = ()

    def value(self, text: str) -> int | None:
        """A number or a name; None for what is neither."""
        if (named := dict(self.names).get(text)) is not None:
            return named
        return int(text) if re.fullmatch(r"\d{1,2}", text) and self.low <= int(text) <= self.high else None


def _named(names: Sequence[str], first: int) -> tuple[tuple[str, int], ...]:
    full = [(name, n) for n, name in enumerate(names, first)]
    return (*full, *((name[:3], n) for name, n in full))


SECOND = Field("second", "0 to 59", 0, 59)
MINUTE = Field("minute", "0 to 59", 0, 59)
HOUR = Field("hour", "0 to 23", 0, 23)
DAY_OF_MONTH = Field("day of the month", "1 to 31, L, LW or 15W", 1, 31)
MONTH = Field("month", "1 to 12, or JAN to DEC", 1, 12, _named(_MONTHS, 1))
SUNDAYS = ("7", *(f"0{n}" for n in range(8)))
"""Also ``05``: with a nought before it, every number is Sunday to it."""
DAY_OF_WEEK = Field(
    "day of the week",
    "0 to 7, SUN to SAT, 5L or 5#3",
    0,
    6,
    (*_named(_DAYS, 0), *((number, 0) for number in SUNDAYS)),
)

SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True)
class Days:
    """The days of a month on which it runs; None for ``*``."""

    of_month: frozenset[int] | None
    of_week: frozenset[int] | None
    """0 is Sunday."""
    workdays: frozenset[int] = frozenset()
    """``15W``: the day from Monday to Friday that is nearest to a date, in its month."""
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
class Line:
    """A schedule: the values of each field, in order."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...]
    days: Days

    @property
    def by_the_second(self) -> bool:
        """Whether it may run at another second than the first of a minute."""
        return self.seconds != (0,)

    def next_run(self, clock: WallClock, after: int) -> int | None:
        """The first run after a moment, in seconds since the epoch. None: it never runs.

        Near a change of the clock, the wall time that fits can come out as a moment that has passed. supercronic
        then asks again until that time has gone by on the wall as well; so does this.
        """
        wall = self._next_wall(clock.shows(after))
        while wall is not None and (run := _moment(clock, wall)) <= after:
            passed = after + max(wall - clock.shows(after), 1)
            after = clock.change(after, passed) or passed
            wall = self._next_wall(clock.shows(after))
        return None if wall is None else run

    def _next_wall(self, wall: int) -> int | None:
        """The wall time after another one at which every field fits, in seconds."""
        found = self._fits(datetime.fromtimestamp(wall, UTC))
        return None if found is None else int(found.timestamp())

    def _fits(self, at: datetime) -> datetime | None:
        """The next time that fits: the smallest field that can move on does."""
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
    """The moment of a wall time as Go's ``time.Date`` has it, also of one that is left out or comes twice."""
    return wall - clock.offset(wall - clock.offset(wall))


def read(line: str) -> Line:
    """A line of five fields, of six with a year, or of seven with seconds before; or ``@daily``. Raises Wrong."""
    line = _expanded(line)
    found = fields(line, 5, 7, CRON)
    if len(found) > 5:
        _any_year(found.pop())
    seconds = _values(found.pop(0), SECOND) if len(found) == 6 else (0,)
    minute, hour, day, month, weekday = found
    return Line(seconds, _values(minute, MINUTE), _values(hour, HOUR), _values(month, MONTH), _days(day, weekday))


def _expanded(line: str) -> str:
    if not line.startswith("@"):
        return line
    name, _, rest = line.partition(" ")
    if rest or name not in SHORTHANDS:
        raise (
            Wrong(f"{name} stands alone", (len(name), len(line)))
            if name in SHORTHANDS
            else shorthand(line, list(SHORTHANDS), CRON)
        )
    return SHORTHANDS[name]


def _any_year(field: re.Match[str]) -> None:
    if field[0] not in {"*", "?"}:
        why = f"{CRON} reads {field[0]} as the year, and a job that ends can't be watched: leave the year out"
        raise Wrong(why, field.span())


def _values(field: re.Match[str], of: Field) -> tuple[int, ...]:
    found: set[int] = set()
    star = False
    for text, where in _entries(field, of):
        values = _entry(text, of, where)
        if values is None and star:
            raise Wrong(f"{CRON} ignores this beside *, and runs as if it were not there: leave it out", where)
        if values is None:
            raise _no(of, where)
        star |= text in {"*", "?"}
        found |= values
    if not found:
        raise Wrong(f"no {of.name} fits this: it never runs", field.span())
    return tuple(sorted(found))


def _days(day: re.Match[str], weekday: re.Match[str]) -> Days:
    dates, workdays, last = _dates(day)
    weekdays, weeks = _weekdays(weekday)
    return Days(dates, weekdays, workdays, weeks, "l" in last, "lw" in last)


def _dates(field: re.Match[str]) -> tuple[frozenset[int] | None, frozenset[int], frozenset[str]]:
    found: set[int] = set()
    workdays: set[int] = set()
    last: set[str] = set()
    star = False
    for text, where in _entries(field, DAY_OF_MONTH):
        star |= text in {"*", "?"}
        if text in {"l", "lw"}:
            last.add(text)
        elif text.endswith("w") and (near := DAY_OF_MONTH.value(text[:-1])) is not None:
            workdays.add(near)
        elif (values := _entry(text, DAY_OF_MONTH, where)) is not None:
            found |= values
        else:
            raise _no(DAY_OF_MONTH, where)
    return None if star else frozenset(found), frozenset(workdays), frozenset(last)


def _weekdays(field: re.Match[str]) -> tuple[frozenset[int] | None, frozenset[tuple[int, int]]]:
    found: set[int] = set()
    weeks: set[tuple[int, int]] = set()
    star = False
    for text, where in _entries(field, DAY_OF_WEEK):
        star |= text in {"*", "?"}
        special = re.fullmatch(r"(.+?)(?:l|#([1-5]))", text)
        if special and (weekday := DAY_OF_WEEK.value(special[1])) is not None:
            weeks.add((weekday, int(special[2] or 0)))
        elif (values := _entry(text, DAY_OF_WEEK, where)) is not None:
            found |= values
        else:
            raise _no(DAY_OF_WEEK, where)
    return None if star else frozenset(found), frozenset(weeks)


def _entries(field: re.Match[str], of: Field) -> list[tuple[str, Where]]:
    """The entries between commas, in small letters, and where each stands."""
    found = [
        (m[0].lower(), (field.start() + m.start(), field.start() + m.end()))
        for m in re.finditer(r"[^,]+", field[0])
    ]
    if not found:
        raise _no(of, field.span())
    return found


def _entry(text: str, of: Field, where: Where) -> set[int] | None:
    """The values of ``*``, ``5``, ``5-20``, and of these with a step; None for anything else. Raises Wrong."""
    span, slash, step = text.partition("/")
    if slash and (step not in _STEPS or not 1 <= int(step) <= of.high):
        raise Wrong(f"this is no step: it takes 1 to {min(of.high, 59)}", where)
    if span == "*" or (span == "?" and not slash):
        return set(range(of.low, of.high + 1, int(step or 1)))
    start, dash, end = span.partition("-")
    first = of.value(start)
    last = of.value(end) if dash else of.high if slash else first
    if first is None or last is None:
        return None
    if dash and not slash and last < first:
        raise Wrong(f"this range of the {of.name} ends before it begins", where)
    return set(range(first, last + 1, int(step or 1)))


def _no(of: Field, where: Where) -> Wrong:
    return Wrong(f"this is no {of.name}: it takes {of.takes}", where)
