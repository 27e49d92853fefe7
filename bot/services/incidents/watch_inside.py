"""The watcher of what is inside a pod that is ready: its processes, and how full its disk is."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain.core.target import ContainerSpec
from bot.domain.core.workload import Pod
from bot.domain.health import judge_pod, judge_processes
from bot.domain.health.judge_processes import Looked
from bot.domain.incidents import downtime, inside_watch
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.inside_watch import InsideFacts
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.inside import INSIDE
from bot.errors import AgentpodError, unexpected
from bot.ports.cluster import Cluster
from bot.services import container_exec
from bot.services.incidents.incident_cache import TargetWatch

logger = logging.getLogger("agentpod.watch")

POLLS = 2
"""Looks at the heartbeats for one at the processes: a minute."""
DISK = 5
"""Looks at the processes for one at the disk: five minutes."""
UNREAD = timedelta(minutes=15)
"""How long nobody may be able to look into a ready pod: a busy kubelet is no incident."""


@dataclass
class _Blindness:
    """Since when the pod can't be looked into, and how often in a row a look went wrong in an unexpected way."""

    since: datetime | None = None
    defects: int = 0

    def noted(self, seen: InsideFacts, now: datetime, defect: bool) -> datetime | None:
        """Note a look; gives since when there is no seeing, None where there is."""
        self.since = (self.since or now) if seen.unread else None
        self.defects = self.defects + defect if seen.unread else 0
        return self.since


@dataclass
class InsideWatch(TargetWatch):
    """One target's pod from container_exec. A pod that is not ready is its own incident, and this waits."""

    _blindness: _Blindness = field(default_factory=_Blindness)
    _disk_unread: tuple[str, ...] = ()
    """Why the last look at the disk gave nothing."""

    async def run(self) -> None:
        """Look until cancelled. A pod that can't be listed is told by its own watcher."""
        number = 0
        while True:
            try:
                await self.look(disk=number % DISK == 0)
            except AgentpodError as error:
                logger.info("inside the pod: %s", error.message, extra={"target": self.target.name})
            number += 1
            await asyncio.sleep(POLLS * self.rules.poll.total_seconds())

    async def look(self, *, disk: bool = True) -> list[Incident]:
        """Look into the pod; gives the incidents that changed. Raises where the pods can't be listed."""
        cluster = self.cluster_of(self.target.name)
        pods = await cluster.pods(self.target.selector)
        pod = judge_pod.current(pods) if downtime.ready(pods) else None
        seen, defect = await self._safely(cluster, pod, disk) if pod is not None else (None, False)
        now = self.clock.now()
        async with self._known.looking(now) as tx:
            muted = await self.muting.of_pod(tx, self.target, now)
            look = seen or InsideFacts(self._untold())
            problems = [replace(p, hold=self.rules.pod_for, muted=muted) for p in look.problems]
            unread = self._unread(seen, defect, now) if seen is not None else []
            about = (*look.about, *(() if look.unread else (INSIDE.key(self.target.name),)))
            return await self._known.keep(tx, [*problems, *unread], now, about)

    def _unread(self, seen: InsideFacts, defect: bool, now: datetime) -> list[Problem]:
        """That nobody can look into the pod, once it lasts; at once where the bot itself fails again and again."""
        since = self._blindness.noted(seen, now, defect)
        if since is None:
            return []
        sure = self._blindness.defects >= self.rules.blind_after or now - since >= UNREAD
        why = [("Why", reason) for reason in seen.unread[:3]]
        muted = self.muting.of_target(self.target, now)
        return [INSIDE.problem(self.target, since, why, muted)] if sure else []

    def _untold(self) -> tuple[str, ...]:
        """What was seen once in a pod that is on its way out is not held against the next one."""
        found = {k: self._known.open.get(k) for k in inside_watch.keys(self.target)}
        return tuple(k for k, open_ in found.items() if open_ is not None and not open_.told)

    async def _safely(self, cluster: Cluster, pod: Pod, disk: bool) -> tuple[InsideFacts, bool]:
        """A look, and whether it went wrong in a way that nobody thought of: processes and disk each by itself."""
        looks = [self._running(cluster, pod), *([self._disk(cluster, pod)] if disk else [])]
        results = await asyncio.gather(*looks, return_exceptions=True)
        running, found = (
            self._seen(results[0]),
            self._seen(results[1]) if disk else InsideFacts(unread=self._disk_unread),
        )
        self._disk_unread = found.unread
        about, problems = (*running.about, *found.about), (*running.problems, *found.problems)
        defect = any(not isinstance(r, InsideFacts) for r in results)
        return InsideFacts(about, problems, (*running.unread, *found.unread)), defect

    def _seen(self, result: InsideFacts | BaseException) -> InsideFacts:
        if isinstance(result, InsideFacts):
            return result
        if not isinstance(result, Exception):
            raise result
        logger.error("the pod could not be looked into", extra={"target": self.target.name}, exc_info=result)
        return InsideFacts(unread=(unexpected("What it says could not be understood", result).message,))

    async def _running(self, cluster: Cluster, pod: Pod) -> InsideFacts:
        specs = [c for c in self.target.containers if c.processes and c.name in {d.name for d in pod.lasting}]
        lists = await asyncio.gather(*(self._processes(cluster, pod, c) for c in specs))
        named = {c.name: found for c, found in zip(specs, lists, strict=True)}
        return inside_watch.processes(self.target, named, self.clock.now())

    async def _processes(self, cluster: Cluster, pod: Pod, spec: ContainerSpec) -> Looked:
        """What the list says; in a thread, since the pod decides how long it is."""
        try:
            result = await container_exec.processes(cluster, pod.name, spec.name)
        except AgentpodError as error:
            return Looked(unknown=error.message)
        return await asyncio.to_thread(judge_processes.look, spec, result)

    async def _disk(self, cluster: Cluster, pod: Pod) -> InsideFacts:
        spec = self.target.container()
        try:
            result, inodes = await container_exec.disk(cluster, pod.name, spec.name, spec.home)
        except AgentpodError as error:
            return InsideFacts(unread=(f"the disk: {error.message}",))
        return inside_watch.disk(self.target, result, self.clock.now(), inodes)
