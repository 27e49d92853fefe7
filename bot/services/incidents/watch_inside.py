"""Watches the inside of a ready pod by commands in its containers: its processes, and its disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar

from bot.domain.core.target import ContainerTarget, Target
from bot.domain.core.workload import Pod, Right
from bot.domain.health import judge_pod, judge_processes
from bot.domain.health.judge_processes import ProcessMatches
from bot.domain.incidents import downtime, inside_watch, sources
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.inside_watch import InsideFacts
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.inside import INSIDE
from bot.errors import AgentpodError, unexpected
from bot.ports.cluster import Cluster
from bot.services import container_exec
from bot.services.health.rights import EXEC, POD_READ
from bot.services.incidents.incident_cache import TargetWatch

logger = logging.getLogger("agentpod.watch")

POLLS = 2
"""The processes are polled at every second ``alerts.poll``: each minute by default."""
DISK = 5
"""The disk is read at every fifth poll of the processes."""
UNREAD = timedelta(minutes=15)
"""How long a ready pod may be unreadable before that is an alert: a busy kubelet isn't one. Until then it is held
back."""


@dataclass
class _UnreadPolls:
    """Since when the pod can't be read, and how many polls in a row failed by a defect of the bot."""

    since: datetime | None = None
    defects: int = 0

    def noted(self, seen: InsideFacts, now: datetime, defect: bool) -> datetime | None:
        """Note a poll's result; returns since when the pod can't be read, None where it could be."""
        self.since = (self.since or now) if seen.unread else None
        self.defects = self.defects + defect if seen.unread else 0
        return self.since


@dataclass
class InsideWatch(TargetWatch):
    """Watches the inside of one target's pod. Skips a pod that is not ready: `PodWatch` raises that incident."""

    task = "inside"
    subject: ClassVar[str] = "the watcher inside {target}"

    _unreadable: _UnreadPolls = field(default_factory=_UnreadPolls)
    _disk_unread: tuple[str, ...] = ()
    """Why the last read of the disk failed."""

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:  # noqa: ARG003 - the same for every target
        """The rights to list the pods and run commands in them."""
        return (*POD_READ, *EXEC)

    async def run(self) -> None:
        """Poll until cancelled. That pods can't be listed is `PodWatch`'s incident."""
        number = 0
        while True:
            try:
                await self.look(disk=number % DISK == 0)
            except AgentpodError as error:
                logger.info("the inside of the pod was not read: %s", error.message, extra=self._where)
            number += 1
            await asyncio.sleep(POLLS * self.rules.poll.total_seconds())

    async def look(self, *, disk: bool = True) -> list[Incident]:
        """Poll once; returns the incidents that changed. Raises where the pods can't be listed."""
        cluster = self.cluster_of(self.target.name)
        pods = await cluster.pods(self.target.selector)
        pod = judge_pod.current(pods) if downtime.ready(pods) else None
        seen, defect = await self._safely(cluster, pod, disk) if pod is not None else (None, False)
        now = self.clock.now()
        async with self._cache.evaluation(now) as tx:
            muted = await self.muting.of_pod(tx, self.target, now)
            facts = seen or InsideFacts(self._pending_keys())
            always = self.muting.of_target(self.target, now)  # of what a restart can't end: a full disk
            problems = [
                replace(p, hold=self.rules.pod_for, muted=muted if sources.of(p).restart else always)
                for p in facts.problems
            ]
            unread = self._unread(seen, defect, now) if seen is not None else []
            about = (*facts.about, *(() if facts.unread else (INSIDE.key(self.target.name),)))
            return await self._cache.update(tx, [*problems, *unread], now, about)

    def _unread(self, seen: InsideFacts, defect: bool, now: datetime) -> list[Problem]:
        """The problem that the pod can't be read.

        It is held back for `UNREAD`, or until ``blind_after`` defects of the bot.
        """
        since = self._unreadable.noted(seen, now, defect)
        if since is None:
            return []
        sure = self._unreadable.defects >= self.rules.blind_after
        why = [("Why", reason) for reason in seen.unread[:3]]
        muted = self.muting.of_target(self.target, now)
        return [replace(INSIDE.problem(self.target, since, why, muted), hold=timedelta() if sure else UNREAD)]

    def _pending_keys(self) -> tuple[str, ...]:
        """Keys of incidents that haven't fired yet. Without a ready pod they end, or the next pod's might fire."""
        found = {k: self._cache.open.get(k) for k in inside_watch.keys(self.target)}
        return tuple(k for k, open_ in found.items() if open_ is not None and not open_.notified)

    async def _safely(self, cluster: Cluster, pod: Pod, disk: bool) -> tuple[InsideFacts, bool]:
        """Read processes and disk independently; returns the facts, and whether a defect of the bot showed."""
        reads = [self._running(cluster, pod), *([self._disk(cluster, pod)] if disk else [])]
        results = await asyncio.gather(*reads, return_exceptions=True)
        running, found = (
            self._as_facts(results[0]),
            self._as_facts(results[1]) if disk else InsideFacts(unread=self._disk_unread),
        )
        self._disk_unread = found.unread
        about, problems = (*running.about, *found.about), (*running.problems, *found.problems)
        defect = any(not isinstance(r, InsideFacts) for r in results)
        return InsideFacts(about, problems, (*running.unread, *found.unread)), defect

    @property
    def _where(self) -> dict[str, str]:
        return {"target": self.target.name}

    def _as_facts(self, result: InsideFacts | BaseException) -> InsideFacts:
        """A read's facts; an unexpected exception becomes facts that say that nothing could be read."""
        if isinstance(result, InsideFacts):
            return result
        if not isinstance(result, Exception):
            raise result
        logger.error("the inside of the pod could not be judged", extra=self._where, exc_info=result)
        return InsideFacts(unread=(unexpected("What it says could not be understood", result).message,))

    async def _running(self, cluster: Cluster, pod: Pod) -> InsideFacts:
        specs = [c for c in self.target.containers if c.processes and c.name in {d.name for d in pod.lasting}]
        lists = await asyncio.gather(*(self._processes(cluster, pod, c) for c in specs))
        named = {c.name: found for c, found in zip(specs, lists, strict=True)}
        since = {key: one.problem.since for key, one in self._cache.open.items() if one.there}
        return inside_watch.processes(self.target, named, self.clock.now(), since)

    async def _processes(self, cluster: Cluster, pod: Pod, spec: ContainerTarget) -> ProcessMatches:
        """Judge a container's process list; in a thread, since the pod decides how long the list is."""
        try:
            result = await container_exec.processes(cluster, pod.name, spec.name)
        except AgentpodError as error:
            return ProcessMatches(unknown=error.message)
        return await asyncio.to_thread(judge_processes.scan, spec, result)

    async def _disk(self, cluster: Cluster, pod: Pod) -> InsideFacts:
        spec = self.target.container()
        try:
            result, inodes = await container_exec.disk(cluster, pod.name, spec.name, spec.home)
        except AgentpodError as error:
            return InsideFacts(unread=(f"the disk: {error.message}",))
        return inside_watch.disk(self.target, result, self.clock.now(), inodes)
