"""Shared by both restarts: reading the Deployment with its pods, and following the rollout."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

from bot.domain.approvals.approval import RequestState, Snapshot
from bot.domain.approvals.repair import ExecutionResult, RepairRequest, TargetState
from bot.domain.core.images import shortened
from bot.domain.core.target import Target
from bot.domain.core.workload import Deployment, Event, Pod
from bot.domain.health import rollout
from bot.errors import AgentpodError, NotFound
from bot.ports.cluster import Cluster
from bot.services.approvals.actions.execution import Stepwise
from bot.services.approvals.lease_holder import TICK, LeaseHolder

logger = logging.getLogger("agentpod.repairs")

ObservedRollout = tuple[Deployment, Sequence[Pod], Sequence[Event]]


async def look_at(cluster: Cluster, target: Target) -> TargetState:
    """Read the Deployment and its pods concurrently. Raises as `Cluster` does."""
    deployment, pods = await asyncio.gather(cluster.deployment(target.deployment), cluster.pods(target.selector))
    return TargetState(deployment, tuple(pods))


class PodRestart(Stepwise[TargetState]):
    """A change that ends the pod."""

    check = "Look before you ask again: `/agentpod status` shows how old the pod is."

    async def look(self, repair: RepairRequest, holder: LeaseHolder) -> TargetState:
        """See `Stepwise`."""
        return await look_at(holder.cluster_of(repair.target), holder.targets[repair.target])

    def snapshot(self, seen: TargetState) -> Snapshot:
        """See `Stepwise`."""
        return seen.snapshot

    async def plan(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `Execution`: the change, and one round of following it."""
        await super().plan(repair, holder)
        cluster, target = holder.cluster_of(repair.target), holder.targets[repair.target]
        await look_at(cluster, target)
        await cluster.events()
        async with aclosing(cluster.follow(target.selector)) as lists:
            await anext(lists)

    async def follow(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """Follow the rollout until the pod is ready, it failed, or time is up; each step is saved."""
        until = (repair.mark.started_at if repair.mark else holder.clock.now()) + holder.policy.follow_for
        async with _Watch(holder.cluster_of(repair.target), holder.targets[repair.target]) as watch:
            while True:
                try:
                    seen = await watch.look()
                except NotFound as error:
                    text = f"the Deployment is gone: {error.message}"
                    repair = await holder.end(repair, RequestState.FAILED, text, error.remedy)
                except AgentpodError as error:
                    if holder.clock.now() > until:
                        text = f"it was sent, and could not be followed: {error.message}"
                        repair = await holder.end(repair, RequestState.FAILED, text)
                else:
                    repair = await self._step(repair, holder, seen)
                if repair.state.final:
                    return
                repair = await holder.renewed(repair)
                await watch.wait(holder.tick)

    def verified(self, repair: RepairRequest, pod: Pod | None) -> tuple[bool, str, str]:
        """Whether the new pod, which is ready, is as wanted; what to say of it, and the next command.

        Without a text, the rollout's own is said. Ready is enough; an image that may be another is named.
        """
        return True, _images(pod) if repair.forecast.image and pod is not None else "", ""

    async def _step(self, repair: RepairRequest, holder: LeaseHolder, seen: ObservedRollout) -> RepairRequest:
        """Save the rollout's progress if it shows something new; end the request where the rollout has ended."""
        if repair.mark is None:
            raise AssertionError(f"{repair.id} was claimed without a mark")
        now, before = holder.clock.now(), repair.progress
        progress = rollout.progress(repair.mark, *seen, now, holder.policy.follow_for, before)
        if progress.outcome is not rollout.Outcome.GOING:
            return await self._finish(replace(repair, progress=progress), holder, progress, seen[1])
        if before is not None and _visible(before) == _visible(progress):
            return repair
        return await holder.save(replace(repair, progress=progress), progress=True)

    async def _finish(
        self, repair: RepairRequest, holder: LeaseHolder, progress: rollout.RolloutProgress, pods: Sequence[Pod]
    ) -> RepairRequest:
        good, text, advice = progress.outcome is rollout.Outcome.READY, "", ""
        if good:
            new = next((pod for pod in pods if pod.uid == progress.pod_uid), None)
            good, text, advice = self.verified(repair, new)
        state = RequestState.SUCCEEDED if good else RequestState.FAILED
        seconds = progress.took.total_seconds() if progress.took else None
        said, then = text or progress.reason, advice or progress.advice
        outcome = ExecutionResult(said, holder.clock.now(), progress.evidence, then, seconds)
        return await holder.conclude(repair, state, outcome)


def _images(pod: Pod) -> str:
    """Which image each container of the pod runs now; those that report none are left out."""
    runs = [f"{one.name} runs {shortened(one.digest)}" for one in pod.containers if one.digest]
    return "; ".join(runs) or "the new pod does not report which image it runs"


class _Watch:
    """Watches the pods, and reads Deployment, pods and events when one changed."""

    def __init__(self, cluster: Cluster, target: Target) -> None:
        self._cluster, self._target = cluster, target
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> _Watch:
        self._task = asyncio.create_task(self._listen(), name="follow-pods")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        """Set ``_news`` whenever the pods change. The watch is only a trigger: `look` reads everything anew."""
        while True:
            try:
                async with aclosing(self._cluster.follow(self._target.selector)) as lists:
                    async for _ in lists:
                        self._news.set()
            except AgentpodError as error:
                logger.debug("watch on the pods ended: %s", error.message)
            await asyncio.sleep(TICK)

    async def look(self) -> ObservedRollout:
        """Read Deployment, pods and events. Raises as `Cluster` does; events that can't be read are left out."""
        self._news.clear()
        cluster, target = self._cluster, self._target
        deployment, pods, events = await asyncio.gather(
            cluster.deployment(target.deployment), cluster.pods(target.selector), self._events()
        )
        return deployment, pods, events

    async def _events(self) -> Sequence[Event]:
        with contextlib.suppress(AgentpodError):
            return await self._cluster.events()
        return ()

    async def wait(self, seconds: float) -> None:
        """Wait until a pod changes, at most ``seconds``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()


def _visible(progress: rollout.RolloutProgress) -> tuple[object, ...]:
    """The part of the progress that people see, without times and ages."""
    stages = tuple(step.stage for step in progress.steps)
    shown = (progress.doing, progress.replaced, progress.trouble, progress.stalled, progress.pod)
    return stages, progress.outcome, progress.reason, *shown
