"""The bot's own background tasks: one that keeps dying is an incident, since what it looks at is not looked at."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.incidents.alerting import Incident, Kind, Problem
from bot.errors import AgentpodError, unexpected
from bot.ports.clock import (
    Clock,
)
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
            problems = [_problem(self.target, name, *found) for name, found in self.deaths.failing(now).items()]
            mine = {key for key in self._known.open if key.startswith(_KEY)}
            about = mine | {key_of(name) for name in self.deaths.names()}
            return await self._known.keep(tx, problems, now, sorted(about))


_KEY = "task:"
_SUBJECTS: dict[str, Callable[[str], str]] = {
    "inside": "the watcher inside {}".format,
    "pod": "the watcher of {}".format,
    "heartbeats": "the watcher of the heartbeats{}".format,
}


def key_of(name: str) -> str:
    """The key of the incident that a task keeps dying."""
    return f"{_KEY}{name}"


def _subject(name: str) -> str:
    kind, _, about = name.partition(" ")
    return _SUBJECTS[kind](about) if kind in _SUBJECTS else f"the bot's task {name!r}"


def _problem(target: str, name: str, since: datetime, error: Exception) -> Problem:
    told = error if isinstance(error, AgentpodError) else unexpected("It died", error)
    return Problem(
        key=key_of(name),
        kind=Kind.POD,
        target=target,
        subject=_subject(name),
        summary="keeps failing",
        severity="critical",
        since=since,
        facts=reasons(told),
        advice="status",
        meaning="What it looks at is unknown meanwhile, and not called healthy.",
        restart=False,
    )
