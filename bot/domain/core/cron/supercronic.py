"""Parse a line with supercronic's syntax, which is that of its cronexpr. Pure.

Seconds and a year are optional; ``L``, ``W`` and ``#`` are supported; ``?`` counts as ``*``, and ``*/2`` doesn't.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.domain.core.cron.lines import Extent, InvalidLine, expanded, fields, no_value
from bot.domain.core.cron.supercronic_line import Days, SupercronicLine
from bot.domain.core.lazy_dataclass import dataclass

CRON = "supercronic"

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    "january february march april may june july august september october november december".split()  # noqa: SIM905 - shorter
)
_STEPS = {str(n) for n in range(10)} | {f"{n:02}" for n in range(60)}
"""The accepted spellings of a step."""


@dataclass(frozen=True)
class SupercronicField:
    """The range and the names of one field."""

    name: str
    takes: str
    low: int
    high: int
    names: tuple[tuple[str, int], ...] = ()

    def value(self, text: str) -> int | None:
        """Parse a number or a name; None for anything else."""
        if (named := dict(self.names).get(text)) is not None:
            return named
        return int(text) if re.fullmatch(r"[0-9]{1,2}", text) and self.low <= int(text) <= self.high else None


def _named(names: Sequence[str], first: int) -> tuple[tuple[str, int], ...]:
    full = [(name, n) for n, name in enumerate(names, first)]
    return (*full, *((name[:3], n) for name, n in full))


SECOND = SupercronicField("second", "0 to 59", 0, 59)
MINUTE = SupercronicField("minute", "0 to 59", 0, 59)
HOUR = SupercronicField("hour", "0 to 23", 0, 23)
DAY_OF_MONTH = SupercronicField("day of the month", "1 to 31, L, LW or 15W", 1, 31)
MONTH = SupercronicField("month", "1 to 12, or JAN to DEC", 1, 12, _named(_MONTHS, 1))
SUNDAYS = ("7", *(f"0{n}" for n in range(8)))
"""Spellings of Sunday. cronexpr takes every number with a leading zero for Sunday, also ``05``."""
DAY_OF_WEEK = SupercronicField(
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


def read(line: str) -> SupercronicLine:
    """Parse a line of five fields, six with a year, seven with seconds and year; or ``@daily``.

    Raises InvalidLine.
    """
    found = fields(expanded(line, SHORTHANDS, CRON), 5, 7, CRON)
    if len(found) > 5:
        _any_year(found.pop())
    seconds = _values(found.pop(0), SECOND) if len(found) == 6 else (0,)
    minute, hour, day, month, weekday = found
    return SupercronicLine(
        seconds, _values(minute, MINUTE), _values(hour, HOUR), _values(month, MONTH), _days(day, weekday)
    )


def _any_year(field: re.Match[str]) -> None:
    if field[0] in {"*", "?"}:
        return
    if not re.match(r"[0-9*]", field[0]):
        why = f"{CRON} takes only a year here: leave a command out, and seconds where there is no year"
        raise InvalidLine(why, field.span())
    why = f"{CRON} reads {field[0]} as the year, and a job that ends can't be watched: leave the year out"
    raise InvalidLine(why, field.span())


def _values(field: re.Match[str], of: SupercronicField) -> tuple[int, ...]:
    found: set[int] = set()
    star = False
    for text, where in _entries(field, of):
        values = _entry(text, of, where)
        if values is None and star:
            raise InvalidLine(
                f"{CRON} ignores this beside *, and runs as if it were not there: leave it out", where
            )
        if values is None:
            raise no_value(of.name, of.takes, where)
        star |= text in {"*", "?"}
        found |= values
    if not found:
        raise InvalidLine(f"no {of.name} fits this: it never runs", field.span())
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
            raise no_value(DAY_OF_MONTH.name, DAY_OF_MONTH.takes, where)
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
            raise no_value(DAY_OF_WEEK.name, DAY_OF_WEEK.takes, where)
    return None if star else frozenset(found), frozenset(weeks)


def _entries(field: re.Match[str], of: SupercronicField) -> list[tuple[str, Extent]]:
    """Split a field at commas: each entry in lower case, and where it is in the line."""
    found = [
        (m[0].lower(), (field.start() + m.start(), field.start() + m.end()))
        for m in re.finditer(r"[^,]+", field[0])
    ]
    if not found:
        raise no_value(of.name, of.takes, field.span())
    return found


def _entry(text: str, of: SupercronicField, where: Extent) -> set[int] | None:
    """Parse ``*``, ``5`` or ``5-20``, each also with a step; None for anything else. Raises InvalidLine."""
    span, slash, step = text.partition("/")
    if slash and (step not in _STEPS or not 1 <= int(step) <= of.high):
        raise InvalidLine(f"this is not a valid step: it takes 1 to {min(of.high, 59)}", where)
    if span == "*" or (span == "?" and not slash):
        return set(range(of.low, of.high + 1, int(step or 1)))
    start, dash, end = span.partition("-")
    first = of.value(start)
    last = of.value(end) if dash else of.high if slash else first
    if first is None or last is None:
        return None
    if dash and not slash and last < first:
        raise InvalidLine(f"this range of the {of.name} ends before it begins", where)
    return set(range(first, last + 1, int(step or 1)))
