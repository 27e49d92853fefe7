"""Crontab lines: when the next run comes, and what is wrong with a line. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

FIELDS = (
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31"),
    ("month", "1 to 12, or JAN to DEC"),
    ("day of the week", "0 to 7, or SUN to SAT"),
)


def next_run(schedule: str, zone: str, after: datetime) -> datetime:
    """The first run after a moment, and never at or before it; in UTC.

    A run that DST skips or doubles comes as Debian's cron has it: once, for schedules that name an hour.
    """
    return _next_run(schedule, zone, int(after.timestamp()) // 60)


@lru_cache(maxsize=4096)
def _next_run(schedule: str, zone: str, minute: int) -> datetime:
    """The run after a minute of the epoch: cron knows no seconds, and reading its line takes longest."""
    after = datetime.fromtimestamp(minute * 60, UTC)
    runs = CronSim(schedule, after if zone == "UTC" else after.astimezone(ZoneInfo(zone)))
    # In an hour that comes twice CronSim begins with the first one, also where that is over.
    return next(at for run in runs if (at := run.astimezone(UTC)) > after)


def check_crontab(schedule: str) -> None:
    """Raise ValueError for what is no crontab line, or never comes; it shows the line, and where it is wrong."""
    schedule = re.sub(r"\s", " ", schedule)
    fields = list(re.finditer(r"\S+", schedule))
    if len(fields) != len(FIELDS):
        extra = fields[len(FIELDS)].span() if len(fields) > len(FIELDS) else (len(schedule), len(schedule) + 1)
        raise _wrong(schedule, extra, f"it has {len(fields)} fields, and a crontab schedule has {len(FIELDS)}")
    for number, (field, (name, takes)) in enumerate(zip(fields, FIELDS, strict=True)):
        if not _readable(" ".join(["*"] * number + [field[0]] + ["*"] * (len(FIELDS) - 1 - number))):
            raise _wrong(schedule, field.span(), f"this is no {name}: it takes {takes}")
    try:
        next(CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        raise _wrong(schedule, fields[2].span(), "it never comes: there is no such date") from None


def _readable(schedule: str) -> bool:
    try:
        CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError:
        return False
    return True


def _wrong(schedule: str, where: tuple[int, int], why: str) -> ValueError:
    start, end = where
    return ValueError(
        f"this is not a crontab schedule:\n      {schedule}\n      {' ' * start}{'^' * (end - start)} {why}"
    )
