"""Keeps the pod's events and last log lines when an incident is announced: they are gone within the hour.

It works beside the alert, which never waits for it. What can't be read is kept as unread, with the reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from functools import partial

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.outside import Outside
from bot.domain.core.target import Target
from bot.domain.core.workload import Pod, Right
from bot.domain.health import own_objects
from bot.domain.incidents import evidence
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.evidence import NO_EVENTS, UNREAD, Evidence
from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger, Writing
from bot.services.health.rights import POD_READ

logger = logging.getLogger("agentpod.alerts")

LIMIT = 200_000
"""Most bytes of a log."""
SECONDS = 10.0
"""Deadline of all reads."""


@dataclass
class EvidenceKeeper:
    """Keeps evidence: one task at a time for each target, whatever the number of its incidents."""

    targets: Mapping[str, Target]
    cluster_of: Callable[[str], Cluster]
    ledger: Ledger
    clock: Clock
    outside: Outside
    shows: Callable[[Writing, Incident], Awaitable[None]] | None = None
    """Enqueues an incident's message again, whose alert shows what is kept; None: no alert does."""
    changed: Callable[[], None] = lambda: None
    """Called after a transaction in which messages were enqueued."""
    _waiting: dict[str, list[str]] = field(default_factory=dict)
    """Target → ids of incidents for which nothing is kept yet."""
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:  # noqa: ARG003 - the same for every target
        """The rights to list pods and events and read logs."""
        return (*POD_READ, Right("list", "events"), Right("get", "pods", subresource="log"))

    def keep(self, incidents: Sequence[Incident]) -> None:
        """Keep evidence for incidents that are announced now, in a task of its own."""
        for one in incidents:
            name = one.problem.target
            if name in self.targets:
                self._waiting.setdefault(name, []).append(one.id)
        for name in self._waiting:
            if name not in self._tasks:
                self._begin(name)

    def _begin(self, name: str) -> None:
        task = asyncio.ensure_future(self._keep(name))
        self._tasks[name] = task
        task.add_done_callback(partial(self._done, name))

    def _done(self, name: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(name, None)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            logger.error("events and log lines were not kept", exc_info=error, extra={"target": name})
        if name in self._waiting:  # one that was announced as the task ended
            self._begin(name)

    async def settled(self) -> None:
        """Wait until everything is kept."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _keep(self, name: str) -> None:
        while ids := self._waiting.pop(name, []):
            found = await self._read(self.targets[name])
            try:
                async with self.ledger.writing() as tx:
                    for id_ in ids:
                        incident = await tx.incident(id_)
                        if incident is None:  # its transaction was rolled back
                            continue
                        await tx.keep_evidence(id_, found)
                        if self.shows is not None:
                            await self.shows(tx, incident)
            except AgentpodError as error:
                logger.warning("events and log lines were not kept: %s", error.message, extra={"target": name})
            else:
                self.changed()

    async def _read(self, target: Target) -> list[Evidence]:
        now, cluster = self.clock.now(), self.cluster_of(target.name)
        try:
            async with asyncio.timeout(SECONDS):
                pods = await cluster.pods(target.selector)
                events, lines = await asyncio.gather(
                    self._events(cluster, target, pods, now), self._log(cluster, target, pods, now)
                )
        except TimeoutError:
            return [Evidence(UNREAD, now, "", f"Events and log gave no answer in {SECONDS:.0f} s.")]
        except AgentpodError as error:
            return [Evidence(UNREAD, now, "", f"The pods could not be listed: {self.outside.text(error.message)}")]
        return [*events, *lines]

    async def _events(
        self, cluster: Cluster, target: Target, pods: Sequence[Pod], now: datetime
    ) -> Sequence[Evidence]:
        try:
            found = await cluster.events()
        except AgentpodError as error:
            return [Evidence(UNREAD, now, "", f"{NO_EVENTS}: {self.outside.text(error.message)}")]
        own = own_objects.own(target, pods, None, (), None)
        return self.outside.of(tuple(evidence.of_events(found, own, target.deployment, now)))

    async def _log(
        self, cluster: Cluster, target: Target, pods: Sequence[Pod], now: datetime
    ) -> Sequence[Evidence]:
        where = evidence.container_to_read(pods, target.container().name, now)
        if where is None:
            return [Evidence(UNREAD, now, "", "There was no container, so there was no log.")]
        pod, container, previous = where
        try:
            log = await cluster.logs(
                pod.name, container, previous=previous, tail=evidence.LINES, limit_bytes=LIMIT
            )
        except AgentpodError as error:
            said = self.outside.text(error.message)
            return [Evidence(UNREAD, now, "", f"The log of {container} could not be read: {said}")]
        whole = log.lines[:-1] if log.truncated else log.lines
        clean = await asyncio.to_thread(self.outside.lines, whole)
        found = evidence.of_log(container, clean.lines, now, previous=previous)
        return found or [Evidence(UNREAD, now, "", f"The log of {container} was empty.")]
