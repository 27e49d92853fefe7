"""Records when the bot was cut off from Slack: no connection, or a refused token."""

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
    """The current obstacles, and the last gaps."""

    _obstacles: set[Obstacle] = field(default_factory=lambda: {"connection"})
    clear: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while there is no obstacle."""
    _since: float | None = None
    _gaps: deque[tuple[float | None, float]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def lost(self, obstacle: Obstacle, since: float | None = None) -> None:
        """Add an obstacle, from now or from ``since`` (a `moment`), the last sign of life."""
        if not self._obstacles:
            self._since = moment() if since is None else since
        self._obstacles.add(obstacle)
        self.clear.clear()

    def regained(self, obstacle: Obstacle) -> None:
        """Remove an obstacle; with the last one the gap ends."""
        if self._obstacles == {obstacle}:
            self._gaps.append((self._since, moment()))
        self._obstacles.discard(obstacle)
        if not self._obstacles:
            self.clear.set()

    @property
    def gaps(self) -> Sequence[Gap]:
        """The past gaps, oldest first, in the monotonic clock's time; the machine's sleep is included."""
        ahead = moment() - time.monotonic()
        return tuple(Gap(None if start is None else start - ahead, end - ahead) for start, end in self._gaps)


def moment() -> float:
    """Return monotonic seconds, including the machine's sleep where the system counts it."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)
