"""The bot's own background tasks: one that keeps dying is an incident, since what it looks at is not looked at."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.sources.task import TASK
from bot.errors import AgentpodError, unexpected
from bot.ports.clock import Clock
from bot.services.incidents.incident_cache import IncidentCache, reasons
from bot.services.incidents.incident_service import IncidentService

logger = logging.getLogger("agentpod.watch")

EVERY = 30.0
"""Seconds between two looks."""
TIMES = 3
"""Deaths that are no accident any more."""
WITHIN = timedelta(minutes=30)
QUIET = timedelta(minutes=10)
"""Without another death it is over: longer than the longest pause between two starts."""


@dataclass
class Deaths:
    """Which background tasks died lately, when, and of what."""

    _of: dict[str, deque[datetime]] = field(default_factory=dict)
    _last: dict[str, Exception] = field(default_factory=dict)

    def note(self, name: str, error: Exception, now: datetime) -> None:
        """A task died, and is started again."""
        self._of.setdefault(name, deque(maxlen=TIMES)).append(now)
        self._last[name] = error

    def failing(self, now: datetime) -> dict[str, tuple[datetime, Exception]]:
        """Those that keep dying: since when, and what the last one died of."""
        return {
            name: (times[0], self._last[name])
            for name, times in self._of.items()
            if len(times) == TIMES and times[-1] - times[0] <= WITHIN and now - times[-1] < QUIET
        }

    def names(self) -> Sequence[str]:
        """All that ever died."""
        return tuple(self._of)


@dataclass
class TaskWatch:
    """Makes incidents of tasks that keep dying. ``target``: where they are told."""

    deaths: Deaths
    target: str
    clock: Clock
    incidents: IncidentService
    _known: IncidentCache = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is known yet."""
        self._known = IncidentCache(self.incidents)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except AgentpodError as error:
                logger.warning("the background tasks were not judged: %s", error.message)
            await asyncio.sleep(EVERY)

    async def look(self) -> list[Incident]:
        """The incidents that changed."""
        now = self.clock.now()
        async with self._known.looking(now) as tx:
            failing = self.deaths.failing(now).items()
            problems = [TASK.problem(self.target, name, since, _why(error)) for name, (since, error) in failing]
            mine = {key for key in self._known.open if TASK.owns(key)}
            about = mine | {TASK.key(name) for name in self.deaths.names()}
            return await self._known.keep(tx, problems, now, sorted(about))


def _why(error: Exception) -> tuple[tuple[str, str], ...]:
    return reasons(error if isinstance(error, AgentpodError) else unexpected("It died", error))
