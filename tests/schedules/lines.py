"""Random crontab lines, the time zones to try them in, and the nights on which those change their clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

ZONES = (
    "Europe/Berlin",
    "Europe/Dublin",  # its standard time is the summer one
    "America/New_York",
    "America/St_Johns",
    "America/Havana",  # skips and repeats midnight
    "America/Santiago",  # south of the equator, at midnight
    "America/Nuuk",  # across midnight
    "Africa/Cairo",
    "Africa/Casablanca",  # winter time in Ramadan
    "Asia/Beirut",
    "Australia/Lord_Howe",  # by half an hour
    "Antarctica/Troll",  # by two hours
    "Asia/Kolkata",  # never
)
YEAR = 2026

MONTHS = ("jan", "FEB", "Mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "MON", "Tue", "wed", "thu", "fri", "sat")


def changes(zone: str, year: int = YEAR) -> list[datetime]:
    """The moments at which a zone changes its clock in a year; two arbitrary days if it doesn't."""
    clock = ZoneInfo(zone)
    hours = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(366 * 48)]
    offsets = [at.astimezone(clock).utcoffset() for at in hours]
    found = [at for at, before, after in zip(hours[1:], offsets, offsets[1:], strict=False) if before != after]
    return found or [datetime(year, 2, 28, 12, tzinfo=UTC), datetime(year, 8, 31, 18, tzinfo=UTC)]


class Lines:
    """Random lines, reproducible by seed."""

    def __init__(self, random: Random, *, extended: bool) -> None:
        """``extended`` includes supercronic's extensions of the cron syntax."""
        self.random, self.extended = random, extended

    def line(self, day: datetime) -> str:
        """A line that probably runs near the given day."""
        pick = self.random.choice
        if self._one_in(40):
            return pick(
                ["@daily", "@hourly", "@weekly", "@monthly", "@midnight", "@reboot", "@every 5m", "@Daily"]
            )
        hours = ("0", "1", "2", "3", "23", "0-3", "1,2", "*", "*/2", "22-23", "0,23") if self._one_in(2) else ()
        minute = self._field(0, 59, ("0", "30", "*/15", "0,30", "59"), ())
        hour = pick(hours) if hours else self._field(0, 23, (), ())
        near = str(day.day), str(max(day.day - 1, 1)), f"*/{self.random.randint(2, 5)}"
        date = "*" if self._one_in(2) else self._field(1, 31, near, ("L", "LW", "15W", f"{day.day}W", "?"))
        month = (
            "*" if not self._one_in(6) else self._field(1, 12, (str(day.month), MONTHS[day.month - 1]), ("july",))
        )
        weekday = (
            "*" if self._one_in(2) else self._field(0, 7, ("0", "7", "1-5", "*/2", DAYS[0]), ("5L", "0#2", "05"))
        )
        fields = [minute, hour, date, month, weekday]
        if self.extended and self._one_in(10):
            fields = [self._field(0, 59, ("0", "*/20"), ()), *fields, "*"]
        return self._space(fields)

    def _space(self, fields: list[str]) -> str:
        return "".join(f + self.random.choice([" "] * 9 + ["\t", "  "]) for f in fields).strip()

    def _field(self, low: int, high: int, likely: tuple[str, ...], special: tuple[str, ...]) -> str:
        """A field: a typical one, a list of ranges, or one that is wrong or of another cron's syntax."""
        if likely and self._one_in(2):
            return self.random.choice(likely)
        if special and self._one_in(8 if self.extended else 60):
            return self.random.choice(special)
        if self._one_in(60):
            return self.random.choice(
                ["5#3", "1-", "*/0", "60", "x", "5-3", "*5", "0~9", ",", "1,,2", "*/70", "-1", "1/"]
            )
        return ",".join(self._range(low, high) for _ in range(self.random.choice([1, 1, 1, 2, 3])))

    def _range(self, low: int, high: int) -> str:
        start = self.random.randint(low, high)
        end = self.random.randint(start, high)
        step = self.random.randint(1, max(2, (high - low) // 2))
        kind = self.random.randrange(12)
        if kind < 6:
            return self._value(start, high)
        if kind < 9:
            return f"{self._value(start, high)}-{self._value(end, high)}"
        if kind < 10:
            return f"{self._value(start, high)}-{self._value(end, high)}/{step}"
        return f"{start}/{step}" if self.extended and kind < 11 else f"*/{step}"

    def _value(self, number: int, high: int) -> str:
        names = {12: ("", *MONTHS), 7: (*DAYS, DAYS[0])}.get(high)
        if names and self._one_in(2):
            return names[number]
        return f"{number:02}" if self._one_in(10) else str(number)

    def _one_in(self, many: int) -> bool:
        return self.random.randrange(many) == 0
