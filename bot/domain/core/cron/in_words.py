"""Say a crontab schedule in words: ``every 5 min``, ``daily at 04:00``, ``Fri to Mon at 21:30``. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bot.domain.core import words
from bot.domain.core.cron import Dialect, reader_of
from bot.domain.core.cron.crontab import AT_START
from bot.domain.core.cron.debian import DebianLine
from bot.domain.core.cron.lines import InvalidLine
from bot.domain.core.cron.supercronic_line import SupercronicLine

_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MOST = 6
"""Most times, or minutes, that are listed one by one."""


@dataclass(frozen=True)
class _Plain:
    """A schedule without seconds and without special days."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...]
    dates: tuple[int, ...] | None
    """None: every day of the month."""
    weekdays: tuple[int, ...] | None
    """None: every weekday. 0 is Sunday."""


def in_words(schedule: str, dialect: Dialect) -> str:
    """Return the schedule in words; one that words would not make clearer, or that is invalid, as it is."""
    if schedule == AT_START:
        return "when cron starts"
    try:
        line = reader_of(dialect)(schedule)
    except InvalidLine:
        return schedule
    plain = _plain(line)
    return (_said(plain) if plain else None) or schedule


def _plain(line: object) -> _Plain | None:
    if isinstance(line, SupercronicLine):
        days = line.days
        if line.by_the_second or days.workdays or days.weeks or days.last or days.last_workday:
            return None
        return _Plain(line.minutes, line.hours, line.months, _some(days.of_month, 31), _week(days.of_week))
    if isinstance(line, DebianLine):
        dates, weekdays = _some(line.days, 31), _week(line.weekdays)
        if dates is not None and weekdays is not None and line.both_days:
            return None
        # Where one field begins with * and the other doesn't restrict either, both say "every day".
        return _Plain(line.minutes, line.hours, tuple(sorted(line.months)), dates, weekdays)
    return None


def _some(values: Collection[int] | None, count: int) -> tuple[int, ...] | None:
    return None if values is None or len(values) == count else tuple(sorted(values))


def _week(values: Collection[int] | None) -> tuple[int, ...] | None:
    return None if values is None else _some({v % 7 for v in values}, 7)


def _said(plain: _Plain) -> str | None:
    times, daily = _times(plain.minutes, plain.hours)
    if times is None:
        return None
    days, months = _days(plain), _months(plain.months)
    if daily and not days:
        times = f"daily {times}" if not months else f"every day {times}"
    return f"{days} {times}".strip() + (f", {months}" if months else "")


def _times(minutes: Sequence[int], hours: Sequence[int]) -> tuple[str | None, bool]:
    """The times of a day, and whether they are times of day (``at 04:00``) and no interval."""
    if len(hours) == 24:
        return _within_hours(minutes), False
    if len(minutes) * len(hours) <= _MOST:
        return f"at {words.listed([f'{h:02}:{m:02}' for h in hours for m in minutes])}", True
    if len(minutes) == 1 and (step := _step(hours, 24)):
        return f"every {step} h" + (f" at minute {minutes[0]}" if minutes[0] else ""), False
    if list(hours) == list(range(hours[0], hours[-1] + 1)) and (often := _within_hours(minutes)):
        return f"{often} from {hours[0]:02}:{minutes[0]:02} to {hours[-1]:02}:{minutes[-1]:02}", False
    return None, False


def _within_hours(minutes: Sequence[int]) -> str | None:
    if len(minutes) == 60:
        return "every minute"
    if len(minutes) == 1:
        return "every hour" + (f" at minute {minutes[0]}" if minutes[0] else "")
    if step := _step(minutes, 60):
        return f"every {step} min"
    if len(minutes) <= _MOST:
        return f"every hour at minutes {words.listed([str(m) for m in minutes])}"
    return None


def _step(values: Sequence[int], whole: int) -> int | None:
    """The step, where the values begin at 0 and their distances are all the same, also over the end."""
    step = values[1] - values[0] if len(values) > 1 and values[0] == 0 else 0
    return step if step and whole % step == 0 and list(values) == list(range(0, whole, step)) else None


def _days(plain: _Plain) -> str:
    dates = ""
    if plain.dates is not None:
        listed = words.listed([str(d) for d in plain.dates])
        dates = f"on day{'s' if len(plain.dates) > 1 else ''} {listed} of the month"
    week = _of_week(plain.weekdays) if plain.weekdays is not None else ""
    return f"{dates} or {week}" if dates and week else dates or week


def _of_week(days: Sequence[int]) -> str:
    """``Sun``, ``Mon to Fri``, ``Fri to Mon``, ``Mon, Wed and Fri``."""
    if len(days) > 2:
        # The week as a circle: the run begins after the one gap.
        starts = [d for d in days if (d - 1) % 7 not in days]
        if len(starts) == 1:
            return f"{_WEEKDAYS[starts[0]]} to {_WEEKDAYS[(starts[0] + len(days) - 1) % 7]}"
    return words.listed([_WEEKDAYS[d] for d in sorted(days, key=lambda d: (d - 1) % 7)])


def _months(months: Sequence[int]) -> str:
    return "" if len(months) == 12 else f"in {words.listed([_MONTHS[m - 1] for m in months])}"
