"""Compares the real cron's and the bot's runs of random lines around each clock change in each zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from bot.domain.core.cron import Dialect
from tests.schedules.build import Crons
from tests.schedules.lines import ZONES, Lines, changes
from tests.schedules.real import Runs, debian, difference, supercronic

AROUND = timedelta(minutes=150)
"""The time compared before and after a change: one zone sets its clock back by two hours."""
RUNS = 12


@dataclass
class Tally:
    """The numbers of lines tried and accepted by the cron, and the differences of ours."""

    tried: int = 0
    taken: int = 0
    runs: int = 0
    differences: tuple[str, ...] = ()

    def add(
        self, cron: Dialect, zone: str, line: str, start: datetime, real: Runs | None, end: datetime | None
    ) -> None:
        """Count one line."""
        self.tried += 1
        self.taken += real is not None
        self.runs += len(real or ())
        if found := difference(cron, zone, line, start, real, end):
            self.differences += (found,)


def compare(cron: Dialect, crons: Crons, folder: Path, lines: int, seed: int) -> Tally:
    """Compare that many lines for each night of each zone; ``folder`` is for temporary files."""
    tally = Tally()
    for zone, change in _nights():
        random = Random(f"{seed} {cron} {zone} {change}")  # noqa: S311 - examples, not secrets
        writer = Lines(random, extended=cron == "supercronic")
        texts = [writer.line(change) for _ in range(lines)]
        if cron == "debian":
            start, end = change - AROUND, change + AROUND
            found = debian(crons, folder / change.strftime("%j-%H") / zone, zone, texts, start, end)
            for text, real in zip(texts, found, strict=True):
                tally.add(cron, zone, text, start, real, end)
            continue
        # supercronic may start at any moment of such a night.
        asked = [(text, change + AROUND * random.uniform(-1, 1)) for text in texts]
        asked = [(text, at.replace(second=0, microsecond=0)) for text, at in asked]
        for (text, at), real in zip(asked, supercronic(crons, zone, asked, RUNS), strict=True):
            tally.add(cron, zone, text, at, real, None)
    return tally


def _nights() -> Iterator[tuple[str, datetime]]:
    for zone in ZONES:
        for change in changes(zone):
            yield zone, change
