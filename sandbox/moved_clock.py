"""The sandbox's time as the clock of the bot and of its commands in a terminal."""

from __future__ import annotations

from datetime import datetime

from bot.wiring.parts import SystemClock
from sandbox.moved_time import MovedTime


class MovedClock(SystemClock):
    """The sandbox's time."""

    def __init__(self, time: MovedTime) -> None:
        """Follow ``time``."""
        self._time = time

    def now(self) -> datetime:
        """See `SystemClock`."""
        return self._time.now()
