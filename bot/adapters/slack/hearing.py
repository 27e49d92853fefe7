"""From when to when Slack could not reach the bot, or would not take its answers, as the connection knows it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from bot.domain.gap import Gap

Obstacle = Literal["connection", "token"]
KEPT = 50


@dataclass
class Hearing:
    """What is in the way at present, and the last gaps."""

    _obstacles: set[Obstacle] = field(default_factory=lambda: {"connection"})
    _since: float | None = None
    _gaps: deque[Gap] = field(default_factory=lambda: deque(maxlen=KEPT))

    def lost(self, obstacle: Obstacle) -> None:
        """Something came in the way."""
        if not self._obstacles:
            self._since = time.monotonic()
        self._obstacles.add(obstacle)

    def regained(self, obstacle: Obstacle) -> None:
        """It is gone."""
        if self._obstacles == {obstacle}:
            self._gaps.append(Gap(self._since, time.monotonic()))
        self._obstacles.discard(obstacle)

    @property
    def gaps(self) -> Sequence[Gap]:
        """The gaps that are over, oldest first."""
        return tuple(self._gaps)
