"""The runs of crontab lines by the real crons and by the bot's schedule."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from zoneinfo import TZPATH

from bot.domain.core.cron import Dialect, check_crontab, next_run
from tests.schedules.build import Crons

Runs = list[datetime]
REFUSED = None
"""Stands for a line that a cron refuses."""
ZONEINFO = next((path for path in TZPATH if Path(path, "UTC").exists()), "")
"""The time zone database that Python uses, for all programs."""

EXPLAINED = ("ignores this", "as the year", "it never runs", "use stale_after", "stands alone", "a comment")
"""Our explanations for refusing a line that its cron accepts."""


def supercronic(crons: Crons, zone: str, asked: Sequence[tuple[str, datetime]], count: int) -> list[Runs | None]:
    """The first ``count`` runs of each line by a supercronic started at the given moment."""
    lines = "".join(f"{zone}\t{at.timestamp():.0f}\t{count}\t{line}\n" for line, at in asked)
    environment = {"ZONEINFO": ZONEINFO} if ZONEINFO else {}
    done = subprocess.run(
        [crons.supercronic], input=lines, capture_output=True, text=True, check=True, env=environment
    )
    return [_times(answer) for answer in done.stdout.splitlines()]


def _times(answer: str) -> Runs | None:
    if answer.startswith(("refused", "panic: runtime error: index out of range")):
        return REFUSED  # supercronic crashes on a field without values
    return [] if answer == "never" else [datetime.fromtimestamp(int(at), UTC) for at in answer.split()]


def debian(
    crons: Crons,
    root: Path,
    zone: str,
    lines: Sequence[str],
    start: datetime,
    end: datetime,
    *,
    pauses: bool = False,
) -> list[Runs | None]:
    """All runs of each line between two moments, by a Debian cron started at the first."""
    tabs = root / "etc" / "cron.d"
    for folder in (tabs, root / "var/spool/cron/crontabs", root / "var/run", root / "run"):
        folder.mkdir(parents=True)
    (root / "etc/crontab").touch()
    for number, line in enumerate(lines):
        (tabs / str(number)).write_text(f"{line} root {number}\n")
        (tabs / str(number)).chmod(0o644)
    log = root / "log"
    environment = {
        "LD_PRELOAD": str(crons.clock),
        "TZ": f":{ZONEINFO}/{zone}" if ZONEINFO else zone,
        "CLOCK_START": f"{start.timestamp():.0f}",
        "CLOCK_END": f"{end.timestamp():.0f}",
        "CLOCK_ROOT": str(root),
        "CLOCK_LOG": str(log),
    } | ({"CLOCK_PAUSES": "yes"} if pauses else {})
    subprocess.run([crons.debian, "-f"], check=True, env=os.environ | environment, stdin=subprocess.DEVNULL)
    return _read(log.read_text().splitlines(), len(lines))


def _read(log: Sequence[str], count: int) -> list[Runs | None]:
    found: list[Runs | None] = [[] for _ in range(count)]
    for entry in log:
        seconds, _, words = entry.partition(" ")
        if words.startswith("(root) CMD ("):
            runs = found[int(words.removeprefix("(root) CMD (").removesuffix(")"))]
            at = datetime.fromtimestamp(int(seconds) // 60 * 60, UTC)
            if runs is not None and at not in runs[-1:]:  # runs skipped by a clock change come all at once
                runs.append(at)
        elif "ERROR (Syntax error" in words:
            found[int(words.removeprefix("(*system*").partition(")")[0])] = REFUSED
    return found


def ours(
    cron: Dialect, zone: str, line: str, start: datetime, *, count: int = 0, end: datetime | None = None
) -> Runs:
    """Our runs: so many, or all before a moment. Raises ValueError for a line that we refuse."""
    check_crontab(line, cron)
    found: Runs = []
    at = start
    while len(found) < count or end is not None:
        at = next_run(line, zone, at, cron)
        if end is not None and at >= end:
            break
        found.append(at)
    return found


def difference(
    cron: Dialect, zone: str, line: str, start: datetime, real: Runs | None, end: datetime | None
) -> str:
    """How our runs differ from the real cron's; empty if they don't."""
    try:
        mine = ours(cron, zone, line, start, count=len(real or ()), end=end)
    except ValueError as error:
        explained = real is REFUSED or any(why in str(error) for why in EXPLAINED)
        return "" if explained else f"{line!r}: we refuse what {cron} takes: {error}"
    if real is REFUSED:
        return f"{line!r}: we take what {cron} refuses"
    pairs = zip_longest(real, mine)
    first = next(((r, m) for r, m in pairs if r != m), None)
    return f"{line!r} in {zone}, from {start}: {first[0]} is really, {first[1]} is ours" if first else ""


def hours(of: float) -> timedelta:
    """A duration of so many hours."""
    return timedelta(hours=of)
