"""Draws the digest's picture."""

from __future__ import annotations

from typing import Protocol

from bot.domain.digest.day import Day


class Painter(Protocol):
    """Draws the digest's picture of a day."""

    def day(self, day: Day, zone: str) -> bytes:
        """Draw a day as a PNG, with times in ``zone``. Takes some tenths of a second: call it in a thread."""
