"""Raises an incident for a background task of the bot that keeps crashing, since its work isn't done."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.sources.task import TASK
from bot.errors import AgentpodError, unexpected
from bot.ports.clock import Clock
from bot.services.incidents.incident_cache import IncidentCache, reasons
from bot.services.incidents.incident_service import IncidentService
from bot.services.repeat import repeat

logger = logging.getLogger("agentpod.watch")

EVERY = timedelta(seconds=30)
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


@dataclass
class TaskWatch:
    """Raises incidents for tasks that keep crashing."""

    crashes: TaskCrashes
    target: str
    """The target in whose channel these incidents are posted."""
    clock: Clock
    incidents: IncidentService
    subjects: Mapping[str, str] = field(default_factory=dict)
    """Task name → what it is called in messages; others are called by their name."""
    _cache: IncidentCache = field(init=False)

    def __post_init__(self) -> None:
        """Start with an empty cache."""
        self._cache = IncidentCache(self.incidents)

    async def run(self) -> None:
        """Poll until cancelled."""
        await repeat(self.look, EVERY, self._failed)

    def _failed(self, error: AgentpodError) -> None:
        logger.warning("crashes of background tasks were not evaluated: %s", error.message)

    async def look(self) -> list[Incident]:
        """Evaluate once; returns the incidents that changed."""
        now = self.clock.now()
        async with self._cache.evaluation(now) as tx:
            failing = self.crashes.failing(now).items()
            problems = [
                TASK.problem(self.target, name, since, _why(error), self.subjects.get(name, ""))
                for name, (since, error) in failing
            ]
            mine = {key for key in self._cache.open if TASK.owns(key)}
            about = mine | {TASK.key(name) for name in self.crashes.names()}
            return await self._cache.update(tx, problems, now, sorted(about))


def _why(error: Exception) -> tuple[tuple[str, str], ...]:
    return reasons(error if isinstance(error, AgentpodError) else unexpected("It died", error))
