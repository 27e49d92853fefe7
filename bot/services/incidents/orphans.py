"""Closes incidents of targets, jobs and sources that were removed from the settings, and deletes their state.

Such an incident is closed, not resolved: nobody knows whether its problem has ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain.core.target import Target, canonical_job
from bot.domain.incidents import alerting, sources
from bot.domain.incidents.alerting import Incident
from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.services.incidents.incident_service import IncidentService
from bot.services.repeat import repeat

logger = logging.getLogger("agentpod.watch")

GONE = "the target is no longer in the settings"
EVERY = timedelta(minutes=10)
"""Repeated, because a process with older settings may still run for a while and open another incident."""


@dataclass
class OrphanCloser:
    """Closes the incidents of targets, jobs and sources that are no longer in the settings, or are paused."""

    targets: Sequence[Target]
    heartbeats: bool
    """Whether heartbeats are read at all."""
    clock: Clock
    incidents: IncidentService
    checks_of: Callable[[Target], Collection[str]] = lambda _: ()
    """The names of a target's checks that raise alerts. Called in a thread."""

    async def run(self) -> None:
        """Close now and every few minutes until cancelled."""
        await repeat(self.close, EVERY, self._failed)

    def _failed(self, error: AgentpodError) -> None:
        logger.warning("incidents that left the settings were not closed: %s", error.message)

    async def close(self) -> list[Incident]:
        """Close incidents and delete job states; returns the closed incidents."""
        now = self.clock.now()
        checks = {t.name: await asyncio.to_thread(self.checks_of, t) for t in self.targets}
        async with self.incidents.ledger.writing() as tx:
            known = await tx.newest_incidents(now)
            over = [
                alerting.closed(i, why, now) for i in known.values() if i.open and (why := self._gone(i, checks))
            ]
            closed = await replace(self.incidents, channels=self._channels(over)).save(tx, known, over, now)
            await tx.drop_job_states([key for key in await tx.job_states() if key not in self._watched()])
        if closed:
            self.incidents.changed()
        return closed

    def _gone(self, incident: Incident, checks: Mapping[str, Collection[str]]) -> str:
        """Why an incident's subject is no longer watched; empty where it is."""
        about = incident.problem
        target = next((t for t in self.targets if t.name == about.target), None)
        if target is None:
            return GONE
        return sources.of(about).orphaned(about, target, heartbeats=self.heartbeats, checks=checks[target.name])

    def _watched(self) -> frozenset[str]:
        """The keys of the jobs in the settings."""
        jobs = [(t.name, h.job) for t in self.targets if self.heartbeats for h in t.heartbeats]
        return frozenset(f"{target}/{canonical_job(job)}" for target, job in jobs)

    def _channels(self, over: Sequence[Incident]) -> Mapping[str, str]:
        """The channels, with any one for removed targets: their messages are edited where they were posted."""
        channels = self.incidents.channels
        anywhere = next(iter(channels.values()), "")
        return {**dict.fromkeys((i.problem.target for i in over), anywhere), **channels}
