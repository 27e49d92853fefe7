"""Keeps the crashes of the bot's background tasks."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import field
from datetime import datetime, timedelta

from bot.domain.core.lazy_dataclass import dataclass

TIMES = 3
"""A task keeps crashing once it has crashed so often `WITHIN` this time."""
WITHIN = timedelta(minutes=30)
QUIET = timedelta(minutes=10)
"""Time without a crash after which it has recovered: longer than the longest pause between two restarts."""


@dataclass
class TaskCrashes:
    """Which background tasks crashed lately, when, and with which error."""

    _of: dict[str, deque[datetime]] = field(default_factory=dict)
    _last: dict[str, Exception] = field(default_factory=dict)

    def note(self, name: str, error: Exception, now: datetime) -> None:
        """Note that a task crashed and is being restarted."""
        self._of.setdefault(name, deque(maxlen=TIMES)).append(now)
        self._last[name] = error

    def failing(self, now: datetime) -> dict[str, tuple[datetime, Exception]]:
        """The tasks that keep crashing: since when, and the last error."""
        return {
            name: (times[0], self._last[name])
            for name, times in self._of.items()
            if len(times) == TIMES and times[-1] - times[0] <= WITHIN and now - times[-1] < QUIET
        }

    def names(self) -> Sequence[str]:
        """All tasks that ever crashed."""
        return tuple(self._of)
