"""Raises an incident for a background task of the bot that keeps crashing, since its work isn't done."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.sources.task import TASK
from bot.errors import AgentpodError, unexpected
from bot.ports.clock import Clock
from bot.services.incidents.incident_cache import IncidentCache, reasons
from bot.services.incidents.incident_service import IncidentService
from bot.services.incidents.task_crashes import TaskCrashes
from bot.services.repeat import repeat

logger = logging.getLogger("agentpod.watch")

EVERY = timedelta(seconds=30)


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
