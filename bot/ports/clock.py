"""The clock, as a port so that tests can set the time."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Gives the current time."""

    def now(self) -> datetime:
        """The time as an aware datetime in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go backwards, for measuring durations."""
