"""The schedules of Debian's cron (Vixie's cron 3.0pl1 with Debian's changes). Pure.

It compares its wall clock with each line once a minute. A line whose minute or hour begins with ``*`` runs
whenever the clock shows a matching time: not in an hour that is skipped when the clock goes forward, and twice in
an hour that is repeated. Any other line runs once: right after a skipped hour, and in the first of two repeated
ones. A day must match both day fields where one begins with ``*``, also as ``*/2``; else one of them is enough.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from bot.domain.core.bounds import number
from bot.domain.core.cron.clock import DAY, HOUR, MINUTE, WallClock
from bot.domain.core.cron.lines import Extent, InvalidLine, expanded, fields, no_value
from bot.domain.core.lazy_dataclass import dataclass

CRON = "Debian's cron"
YEARS = 60
"""How far to search for a run, in years: the calendar repeats after 28, and 2100 is no leap year."""
LARGEST = 3 * HOUR
"""The largest clock change that is treated as one of daylight saving time; after a larger one it starts anew."""

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True)
class DebianField:
    """The range and the names of one field."""

    name: str
    takes: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def value(self, text: str) -> int | None:
        """Parse a number or a name; None for anything else."""
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.low
        found = number(text)
        return found if found is not None and self.low <= found <= self.high else None


FIELDS = (
    DebianField("minute", "0 to 59", 0, 59),
    DebianField("hour", "0 to 23", 0, 23),
    DebianField("day of the month", "1 to 31", 1, 31),
    DebianField("month", "1 to 12, or JAN to DEC", 1, 12, _MONTHS),
    DebianField("day of the week", "0 to 7, or SUN to SAT", 0, 7, _DAYS),
)
SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True)
class DebianLine:
    """A parsed schedule: the values of each field, and the effects of a leading ``*``."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 and 7 are Sunday."""
    both_days: bool
    """Whether a day must match both the day of the month and the day of the week."""
    follows_clock: bool
    """Whether it runs whenever the clock shows a matching time, also twice or never at a clock change."""

    by_the_second = False

    def next_run(self, clock: WallClock, after: int) -> int | None:
        """The first run after ``after``, in seconds since the epoch. None: it never runs."""
        if not (self.minutes and self.hours):
            return None
        for day in self._dates(clock.shows(after) // DAY - 1):
            if (run := self._first(clock, day, after)) is not None:
                # Where the clock goes back across midnight, the next day may have the earlier run.
                other = self._first(clock, day + 1, after)
                return run if other is None else min(run, other)
        return None

    def _first(self, clock: WallClock, day: int, after: int) -> int | None:
        """The first run after ``after`` on a day (in days since the epoch); None where there is none."""
        if not self._fits(datetime.fromtimestamp(day * DAY, UTC)):
            return None
        runs = _runs(self, clock.zone, day)
        position = bisect_right(runs, after)
        return runs[position] if position < len(runs) else None

    def _dates(self, first: int) -> Iterator[int]:
        """The matching days from ``first`` on, in days since the epoch."""
        day = datetime.fromtimestamp(first * DAY, UTC)
        end = day.year + YEARS
        while day.year < end:
            if day.month not in self.months:
                day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
                continue
            if self._fits(day):
                yield int(day.timestamp()) // DAY
            day += timedelta(days=1)

    def _fits(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.days, day.isoweekday() in self.weekdays
        return by_date and by_weekday if self.both_days else by_date or by_weekday

    def moments(self, clock: WallClock, wall: int) -> tuple[int, ...]:
        """The moments at which it runs for a matching wall time: none, one or two."""
        before, after = clock.around(wall)
        first, second = wall - before, wall - after
        if before == after:
            return (first,)
        if before > after:  # the clock went back: it shows this time twice
            return (first, second) if self.follows_clock or before - after > LARGEST else (first,)
        if self.follows_clock or after - before >= LARGEST:
            return ()
        change = clock.change(second - 1, first)
        return () if change is None else (change,)


@lru_cache(maxsize=2048)
def _runs(line: DebianLine, zone: str, day: int) -> tuple[int, ...]:
    """The runs on a matching day (in days since the epoch), in order."""
    clock = WallClock(zone)
    walls = (day * DAY + hour * HOUR + minute * MINUTE for hour in line.hours for minute in line.minutes)
    (start, _), (_, end) = clock.around(day * DAY), clock.around((day + 1) * DAY)
    if start == end and clock.around(day * DAY)[1] == start:
        return tuple(wall - start for wall in walls)
    return tuple(sorted({moment for wall in walls for moment in line.moments(clock, wall)}))


def read(line: str) -> DebianLine:
    """Parse a line of five fields, or ``@daily``. Raises InvalidLine."""
    if line == "@reboot":
        raise InvalidLine(
            f"{CRON} runs it when it starts, at no time that is known: use stale_after", (0, len(line))
        )
    found = fields(expanded(line, SHORTHANDS, CRON), 5, 5, CRON)
    minutes, hours, days, months, weekdays = (_values(f, of) for f, of in zip(found, FIELDS, strict=True))
    stars = [field[0].startswith("*") for field in found]
    if 0 in weekdays or 7 in weekdays:
        weekdays |= {0, 7}
    return DebianLine(
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        frozenset(days),
        frozenset(months),
        frozenset(weekdays),
        stars[2] or stars[4],
        stars[0] or stars[1],
    )


_RANGE = re.compile(r"(?P<star>\*)|(?P<first>[0-9A-Za-z]+)(?:-(?P<last>[0-9A-Za-z]*))?")
_STEP = re.compile(r"/([0-9A-Za-z]*)")


def _values(field: re.Match[str], of: DebianField) -> set[int]:
    """Parse a field from the left, as cron does.

    Raises InvalidLine, also for a rest that cron would silently ignore.
    """
    found: set[int] = set()
    text, at = field[0], 0
    while True:
        span = _RANGE.match(text, at)
        if span is None:
            raise no_value(of.name, of.takes, field.span())
        values, end = _range(field, span, of)
        found |= values
        if end == len(text):
            return found
        if text[end] != ",":
            rest = (field.start() + end, field.end())
            raise InvalidLine(f"{CRON} ignores this, and runs as if it were not there: leave it out", rest)
        at = end + 1


def _range(field: re.Match[str], span: re.Match[str], of: DebianField) -> tuple[set[int], int]:
    """Parse one range: its values, and the position after it."""
    where = (field.start() + span.start(), field.start() + span.end())
    first, last = (of.low, of.high) if span["star"] else (of.value(span["first"]), None)
    ranged = bool(span["star"]) or span["last"] is not None
    if span["last"] is not None:
        last = of.value(span["last"])
    if first is None or (ranged and last is None):
        raise no_value(of.name, of.takes, where)
    step = _STEP.match(field[0], span.end())
    if step is None:
        return set(range(first, (first if last is None else last) + 1)), span.end()
    return _stepped(first, last, of.high, step, (where[0], field.start() + step.end())), step.end()


def _stepped(first: int, last: int | None, high: int, step: re.Match[str], where: Extent) -> set[int]:
    if last is None:
        raise InvalidLine(f"{CRON} takes a step only after a range: write {first}-{high}/{step[1]}", where)
    every = number(step[1])
    if every is None or not 0 < every < 2**31:
        raise InvalidLine("this is not a valid step: it takes a number above 0", where)
    return set(range(first, last + 1, every))
