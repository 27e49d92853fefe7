"""What the settings no longer name: its incident ends, nobody calls it well, and it is forgotten."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain.core.target import Target, canonical_job
from bot.domain.incidents import alerting, sources
from bot.domain.incidents.alerting import Incident
from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.services.incidents.incident_service import IncidentService

logger = logging.getLogger("agentpod.watch")

EVERY = timedelta(minutes=10)
"""Again while it runs: an older process that ends later may have begun another one meanwhile."""


@dataclass
class OrphanCloser:
    """Closes the incidents of targets, jobs and sources that are not in the settings any more, or are paused."""

    targets: Sequence[Target]
    heartbeats: bool
    """Whether heartbeats are read at all."""
    clock: Clock
    incidents: IncidentService

    async def run(self) -> None:
        """Now and every few minutes until cancelled."""
        while True:
            try:
                await self.close()
            except AgentpodError as error:
                logger.warning("what is gone from the settings was not closed: %s", error.message)
            await asyncio.sleep(EVERY.total_seconds())

    async def close(self) -> list[Incident]:
        """Close and forget; gives the incidents that were closed."""
        now = self.clock.now()
        async with self.incidents.ledger.writing() as tx:
            known = await tx.newest_incidents(now)
            over = [alerting.closed(i, why, now) for i in known.values() if i.open and (why := self._gone(i))]
            kept = await replace(self.incidents, channels=self._channels(over)).keep(tx, known, over, now)
            await tx.forget([key for key in await tx.job_states() if key not in self._watched()])
        if kept:
            self.incidents.changed()
        return kept

    def _gone(self, incident: Incident) -> str:
        """Why nobody looks at an incident's subject any more; empty where somebody does."""
        about = incident.problem
        target = next((t for t in self.targets if t.name == about.target), None)
        if target is None:
            return "the target is no longer in the settings"
        return sources.of(about).orphaned(about, target, heartbeats=self.heartbeats)

    def _watched(self) -> frozenset[str]:
        """The keys of the jobs that are worth remembering."""
        jobs = [(t.name, h.job) for t in self.targets if self.heartbeats for h in t.heartbeats]
        return frozenset(f"{target}/{canonical_job(job)}" for target, job in jobs)

    def _channels(self, over: Sequence[Incident]) -> Mapping[str, str]:
        """Where a target that is gone is told: its message is edited where it is, whatever is said here."""
        channels = self.incidents.channels
        anywhere = next(iter(channels.values()), "")
        return {**dict.fromkeys((i.problem.target for i in over), anywhere), **channels}
