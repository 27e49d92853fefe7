"""The watcher of what is inside a pod that is ready: its processes, and how full its disk is."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime

from bot import inside
from bot.domain import inside_watch, judge_pod, spell
from bot.domain.alerting import Incident
from bot.domain.inside_watch import Seen
from bot.domain.judge_processes import Process, parse_ps
from bot.domain.target import ContainerSpec
from bot.domain.workload import Pod
from bot.errors import AgentpodError
from bot.jobs.known import TargetWatch
from bot.ports import Cluster

logger = logging.getLogger("agentpod.watch")

POLLS = 2
"""Looks at the heartbeats for one at the processes: a minute."""
DISK = 5
"""Looks at the processes for one at the disk: five minutes."""


@dataclass
class InsideWatch(TargetWatch):
    """One target's pod from inside. A pod that is not ready is its own incident, and this waits."""

    async def run(self) -> None:
        """Look until cancelled. What can't be read now is told by the pod's own watcher, or read next time."""
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
        pod = judge_pod.current(pods) if spell.ready(pods) else None
        seen = await self._seen(cluster, pod, disk) if pod is not None else None
        now = self.clock.now()
        async with self.incidents.ledger.writing() as tx:
            await self._known.freshen(tx, now)
            muted = await self.muting.of_pod(tx, self.target, now)
            look = seen or Seen(self._untold())
            problems = [replace(p, hold=self.rules.pod_for, muted=muted) for p in look.problems]
            kept = await self._known.keep(tx, problems, now, look.about)
        return self._told(kept)

    def _untold(self) -> tuple[str, ...]:
        """What was seen once in a pod that is on its way out is not held against the next one."""
        found = {k: self._known.open(k) for k in inside_watch.keys(self.target)}
        return tuple(k for k, open_ in found.items() if open_ is not None and not open_.told)

    async def _seen(self, cluster: Cluster, pod: Pod, disk: bool) -> Seen:
        specs = [c for c in self.target.containers if c.processes and c.name in {d.name for d in pod.containers}]
        lists = await asyncio.gather(*(self._processes(cluster, pod, c) for c in specs))
        named = {c.name: found for c, found in zip(specs, lists, strict=True)}
        now = self.clock.now()
        running = inside_watch.processes(self.target, named, now)
        full = await self._disk(cluster, pod, now) if disk else Seen()
        return Seen((*running.about, *full.about), (*running.problems, *full.problems))

    async def _processes(self, cluster: Cluster, pod: Pod, spec: ContainerSpec) -> list[Process]:
        """All that runs; none where that is not known, a list that was cut included."""
        try:
            result = await inside.processes(cluster, pod.name, spec.name)
        except AgentpodError:
            return []
        return [] if result.truncated else parse_ps(result.stdout)

    async def _disk(self, cluster: Cluster, pod: Pod, now: datetime) -> Seen:
        spec = self.target.container()
        try:
            return inside_watch.disk(self.target, await inside.disk(cluster, pod.name, spec.name, spec.home), now)
        except AgentpodError:
            return Seen()
