"""Where the time comes from."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Where ``now`` comes from."""

    def now(self) -> datetime:
        """The time as an aware datetime in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go backwards, for measuring durations."""
