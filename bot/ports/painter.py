"""Who draws a day."""

from __future__ import annotations

from typing import Protocol

from bot.domain.digest.day import Day


class Painter(Protocol):
    """Who draws."""

    def day(self, day: Day, zone: str) -> bytes:
        """A PNG of a day, with times of the zone. Takes some tenths of a second: call it in a thread."""
