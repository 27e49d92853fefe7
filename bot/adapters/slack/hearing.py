"""From when to when Slack could not reach the bot, or would not take its answers, as the connection knows it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from bot.domain.core.gap import Gap

Obstacle = Literal["connection", "token"]
KEPT = 50


@dataclass
class Hearing:
    """What is in the way at present, and the last gaps."""

    _obstacles: set[Obstacle] = field(default_factory=lambda: {"connection"})
    clear: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while nothing is in the way."""
    _since: float | None = None
    _gaps: deque[tuple[float | None, float]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def lost(self, obstacle: Obstacle, since: float | None = None) -> None:
        """Something came in the way, now or ``since`` the last sign of life, which is a `moment`."""
        if not self._obstacles:
            self._since = moment() if since is None else since
        self._obstacles.add(obstacle)
        self.clear.clear()

    def regained(self, obstacle: Obstacle) -> None:
        """It is gone."""
        if self._obstacles == {obstacle}:
            self._gaps.append((self._since, moment()))
        self._obstacles.discard(obstacle)
        if not self._obstacles:
            self.clear.set()

    @property
    def gaps(self) -> Sequence[Gap]:
        """The gaps that are over, oldest first, by the monotonic clock; the machine's sleep is part of them."""
        ahead = moment() - time.monotonic()
        return tuple(Gap(None if start is None else start - ahead, end - ahead) for start, end in self._gaps)


def moment() -> float:
    """Seconds since some start, those in which the machine slept included (where the system counts them)."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)
