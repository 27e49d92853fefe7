"""One pod, ready, on its node; where it is not, its Deployment says why."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from bot.domain.approvals.own_restarts import OwnRestart
from bot.domain.core.probes import Finding
from bot.domain.core.reply import Line
from bot.domain.core.target import Target
from bot.domain.core.workload import Event, Pod, Right
from bot.domain.health import judge_pod, pod_state
from bot.domain.health.judge_deployment import Owner
from bot.services.health.check import Check
from bot.services.health.own_restarts import own_restarts
from bot.services.health.reads import Reads, or_none
from bot.services.health.rights import POD_READ, deployment_right


class PodCheck(Check):
    """Judges the pods by what their Deployment wants."""

    id, title, about = judge_pod.PROBE, judge_pod.TITLE, "the pod"
    steps = (("Events", "events"), ("Pods", "pods"))

    pods: Sequence[Pod] = ()
    owner: Owner = None
    restarts: Sequence[OwnRestart] = ()
    """The recent restarts of containers that were approved."""

    async def run(self, reads: Reads) -> Finding:
        """Read the pods and the Deployment, and have them judged."""
        self.pods, self.owner = await asyncio.gather(reads.pods(), reads.owner())
        now = reads.ctx.clock.now()
        self.brief = judge_pod.brief(self.pods, now)
        events = await _explaining(reads, self.pods, now)
        self.restarts = await own_restarts(reads.ctx, self.pods, now)
        explained = {one.key for one in self.restarts}
        return judge_pod.judge_pod(self.pods, reads.target, now, self.owner, events, explained)

    def restarted(self, now: datetime) -> tuple[Line, ...]:
        """A line on each approved restart: by which request, and who approved it."""
        return tuple(one.line(now) for one in self.restarts)

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        """The pods, and what explains them."""
        return (*POD_READ, deployment_right(target), Right("list", "events"))


async def _explaining(reads: Reads, pods: Sequence[Pod], now: datetime) -> Sequence[Event]:
    """The events, where they alone say why a pod is not ready; none where they don't come soon."""
    if not any(pod_state.asks_events(p, now) for p in judge_pod.live(pods)):
        return ()
    return await or_none(reads.within(reads.ctx.probe_timeout / 2).events()) or ()
