"""Read a whole crontab as the cron that runs it does: its jobs, the lines that it refuses, its time zone. Pure.

Both crons run no job of a file with a line that they refuse: supercronic ends, and Debian's cron ignores the file.
supercronic tries seven fields (seconds and year), six (year), five and one (``@daily``), and what is left is the
command. Sources: supercronic 0.2.48, ``crontab/crontab.go``; Debian's cron, ``entry.c``, ``env.c`` and ``user.c``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.domain.core.cron import NEVER, START, CronLine, Dialect, debian, name_of, reader_of, supercronic
from bot.domain.core.cron.clock import WallClock
from bot.domain.core.cron.lines import Extent, InvalidLine, shown

AT_START = "@reboot"
"""The schedule of a job that Debian's cron runs when it starts."""
MOST_LINES = 2_000
"""Most lines that are read."""
LONGEST_SHOWN = 160
"""How much of a line is shown, in characters."""

_ENVIRONMENT = re.compile(r"(?P<name>[^\s=]+)\s*=\s*(?P<value>.*)")
_QUOTED_NAME = re.compile(r"(?P<name>\"[^\"]*\"|'[^']*')\s*=\s*(?P<value>.*)")
_YEARS = re.compile(r"[?]|(?:\*|\d{4}(?:-\d{4})?)(?:/\d{1,2})?(?:,\d{4}(?:-\d{4})?(?:/\d{1,2})?)*")


@dataclass(frozen=True)
class JobLine:
    """A line that runs a command."""

    number: int
    schedule: str
    command: str


@dataclass(frozen=True)
class LineProblem:
    """What is wrong with a line."""

    number: int
    text: str
    why: str
    where: Extent | None = None
    fatal: bool = True
    """Whether the cron therefore runs no job of the file."""

    @property
    def lines(self) -> tuple[str, str]:
        """The line with its number and, under it, a mark at the wrong part and the reason."""
        head = f"line {self.number}: "
        start, end = self.where or (0, max(len(self.text), 1))
        start = min(start, LONGEST_SHOWN)
        marks = " " * (len(head) + start) + "^" * max(min(end, LONGEST_SHOWN) - start, 1)
        return f"{head}{self.text[:LONGEST_SHOWN]}", f"{marks} {self.why}"


@dataclass(frozen=True)
class Crontab:
    """A crontab as its cron reads it."""

    jobs: tuple[JobLine, ...] = ()
    problems: tuple[LineProblem, ...] = ()
    zone: str | None = None
    """The zone that ``CRON_TZ`` sets; None: the cron's own."""
    left_out: int = 0
    """Lines beyond the most that are read."""

    @property
    def refused(self) -> bool:
        """Whether the cron runs no job of it."""
        return any(p.fatal for p in self.problems)


def read_crontab(text: str, dialect: Dialect) -> Crontab:
    """Read the text of a crontab."""
    every = text.split("\n")
    raw = [line.removesuffix("\r") if dialect == "supercronic" else line for line in every]
    jobs: list[JobLine] = []
    problems: list[LineProblem] = []
    zone = None
    for number, line in enumerate(raw[:MOST_LINES], start=1):
        stripped = shown(line.lstrip(" \t"))
        if not stripped or stripped.startswith("#"):
            continue
        try:
            if (found := _environment(stripped, dialect)) is not None:
                zone = _zone(found, dialect) or zone
            else:
                jobs.append(_job(number, stripped, dialect))
        except _Harmless as error:
            problems.append(LineProblem(number, stripped, error.why, error.where, fatal=False))
        except InvalidLine as error:
            problems.append(LineProblem(number, stripped, error.why, error.where))
    if dialect == "debian" and raw[-1].strip() and len(raw) <= MOST_LINES:
        why = f"{debian.CRON} wants a line feed at the end of the last line"
        problems.append(LineProblem(len(raw), shown(raw[-1]), why, (len(shown(raw[-1])), len(shown(raw[-1])) + 1)))
    return Crontab(tuple(jobs), tuple(problems), zone, max(len(raw) - MOST_LINES, 0))


class _Harmless(InvalidLine):
    """The cron takes the line, but not as it is meant."""


def _environment(line: str, dialect: Dialect) -> re.Match[str] | None:
    quoted = _QUOTED_NAME.fullmatch(line) if dialect == "debian" else None
    return quoted or _ENVIRONMENT.fullmatch(line)


def _zone(found: re.Match[str], dialect: Dialect) -> str | None:
    """The zone that the line sets; None where it sets something else. Raises InvalidLine."""
    value = found["value"].strip()
    if dialect == "supercronic" and not value:
        raise InvalidLine(f'supercronic crashes on an empty value: write {found["name"]}=""', found.span())
    if dialect != "supercronic" or found["name"] != "CRON_TZ":
        return None
    if len(value) > 1 and value[0] in "\"'" and value[0] == value[-1]:
        value = value[1:-1]
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidLine("there is no such time zone", found.span("value")) from None


def _job(number: int, line: str, dialect: Dialect) -> JobLine:
    found = list(re.finditer(r"\S+", line))
    schedule = _schedule(line, found, dialect)
    rest = line[len(schedule) :].strip()
    if not rest:
        raise InvalidLine("there is no command", (len(line), len(line) + 1))
    job = JobLine(number, schedule, rest)
    if schedule != AT_START and reader_of(dialect)(schedule).next_run(WallClock("UTC"), START) is None:
        raise _Harmless(NEVER, (0, len(schedule)))
    return job


def _schedule(line: str, found: Sequence[re.Match[str]], dialect: Dialect) -> str:
    """The schedule that the cron reads at the beginning of a line. Raises InvalidLine."""
    if dialect == "debian":
        return _of_debian(line, found)
    for count in (7, 6):
        if len(found) > count and _YEARS.fullmatch(found[count - 1][0]) is not None:
            year = found[count - 1]
            if _takes(supercronic.read, f"{line[: year.start()]}*"):
                _check_year(year)
                return line[: year.end()]
    count = 1 if line.startswith("@") else 5
    schedule = line[: found[count - 1].end()] if len(found) >= count else line
    supercronic.read(schedule)
    return schedule


def _check_year(year: re.Match[str]) -> None:
    if year[0] not in ("*", "?"):
        why = f"supercronic reads {year[0]} as the year: a command can't begin with it"
        raise _Harmless(why, year.span())


def _takes(read: Callable[[str], CronLine], schedule: str) -> bool:
    try:
        read(schedule)
    except InvalidLine:
        return False
    return True


def _of_debian(line: str, found: Sequence[re.Match[str]]) -> str:
    if found[0][0] == AT_START:
        return AT_START
    count = 1 if line.startswith("@") else 5
    schedule = line[: found[count - 1].end()] if len(found) >= count else line
    debian.read(schedule)
    return schedule


def consequence(dialect: Dialect) -> str:
    """What the cron does about a line that it refuses."""
    if dialect == "debian":
        return f"{name_of(dialect)} ignores the whole crontab because of it"
    return "supercronic ends at it, and so runs no job"
