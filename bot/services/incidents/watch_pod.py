"""Watches a target's pod: raises incidents for it, and saves its downtimes, which excuse its jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.approvals.repair import restarted_by
from bot.domain.core.history import HistoryEvent
from bot.domain.core.target import POD, Target
from bot.domain.core.workload import Event, Pod, Right
from bot.domain.health import judge_pod, outages, pod_state, restarts
from bot.domain.health.judge_deployment import Owner
from bot.domain.health.judge_pod import Explained
from bot.domain.health.outages import Outages
from bot.domain.health.restarts import Restarts
from bot.domain.incidents import downtime, pod_watch
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.cluster import CLUSTER
from bot.domain.incidents.sources.pod import POD_HEALTH
from bot.domain.incidents.sources.restarts import POD_RESTARTS
from bot.errors import AgentpodError, NotAllowed, Transient, unexpected
from bot.ports.ledger import Writing
from bot.services.health.own_restarts import REQUESTED
from bot.services.health.pod_looks import PodLooks
from bot.services.health.rights import POD_READ, deployment_right
from bot.services.incidents.incident_cache import TargetWatch, reasons
from bot.services.incidents.muting import downtimes_mark, unseen_mark
from bot.services.incidents.poll_coverage import pod_coverage

logger = logging.getLogger("agentpod.watch")

EVERY = 10.0
"""Seconds between two evaluations of a pod that does not change, since deadlines pass all the same."""
PATIENCE = 60.0
"""Seconds of an outage of the API server before `Cluster.follow` raises."""
AGAIN = 10.0
"""Seconds before the watch is started again."""


def restarts_mark(target: str) -> str:
    """The ledger's mark for the pod's recent restarts."""
    return f"restarts:{target}"


def outages_mark(target: str) -> str:
    """The ledger's mark for the pod's recent short outages."""
    return f"outages:{target}"


@dataclass
class ReadFailures:
    """Decides whether failed reads of the pod mean that it can't be read: a single odd answer doesn't."""

    after: int
    """Failures in a row that are needed."""
    _failures: int = 0
    _since: datetime | None = None

    def succeeded(self) -> None:
        """Note that the pod was read."""
        self._failures, self._since = 0, None

    def failed(self, error: AgentpodError, now: datetime) -> datetime | None:
        """Note a failure; returns since when the pod can't be read, or None while that may be a glitch.

        A refusal counts at once. So does `Transient`, since the port only raises it after `PATIENCE` seconds.
        """
        outage = timedelta(seconds=PATIENCE if isinstance(error, Transient) else 0)
        self._failures += 1
        self._since = self._since or now - outage
        sure = isinstance(error, NotAllowed | Transient) or self._failures >= self.after
        return self._since if sure else None


@dataclass
class PodWatch(TargetWatch):
    """Watches one target's pod."""

    task = "pod"
    _counts: list[tuple[str, str, int]] = field(default_factory=list)
    """Restart counts for which the approved restarts were read."""
    _explained: Explained = frozenset()
    _looks: PodLooks | None = None

    def __post_init__(self) -> None:
        """Compare the pod with the last look where changes are recorded."""
        super().__post_init__()
        if self.change_log is not None:
            seen_by = pod_coverage(self.target.name).last
            self._looks = PodLooks(self.target, self.cluster_of, self.change_log, seen_by)

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        """The rights to follow the pods, and to read what explains one that is not ready."""
        return (*POD_READ, Right("watch", "pods"), deployment_right(target), Right("list", "events"))

    async def run(self) -> None:
        """Watch until cancelled."""
        failures = ReadFailures(self.rules.blind_after)
        while True:
            try:
                async with aclosing(self._pod_lists()) as lists:
                    async for pods in lists:
                        await self._logged(self.look(pods))
                        failures.succeeded()
            except Exception as error:
                await self._failed(failures, error)
            await asyncio.sleep(AGAIN)

    async def _failed(self, failures: ReadFailures, error: Exception) -> None:
        """Treat any exception, a defect included, as missing data, which is an incident once it lasts."""
        cause = error if isinstance(error, AgentpodError) else unexpected("The pod could not be judged", error)
        if cause is not error:
            logger.error("the pod was not judged", exc_info=error, extra={"target": self.target.name})
        since = failures.failed(cause, self.clock.now())
        if since is not None:
            await self._logged(self.source_unavailable(cause, since))

    async def _pod_lists(self) -> AsyncGenerator[Sequence[Pod], None]:
        """Yield the pods whenever they change, and every `EVERY` seconds while they don't."""
        cluster = self.cluster_of(self.target.name)
        async with aclosing(cluster.follow(self.target.selector, patience=PATIENCE)) as lists:
            following = lists.__aiter__()
            coming = asyncio.ensure_future(anext(following))
            pods: Sequence[Pod] | None = None
            try:
                while True:
                    done, _ = await asyncio.wait({coming}, timeout=EVERY)
                    if done:
                        pods = coming.result()
                        coming = asyncio.ensure_future(anext(following))
                    if pods is not None:
                        yield pods
            except StopAsyncIteration:
                return
            finally:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)

    async def _logged(self, evaluation: Coroutine[Any, Any, list[Incident]]) -> None:
        """Run an evaluation and log the ledger's errors: the next one makes up for it."""
        try:
            await evaluation
        except AgentpodError as error:
            logger.warning("the pod was not judged: %s", error.message, extra={"target": self.target.name})

    async def look(self, pods: Sequence[Pod]) -> list[Incident]:
        """Judge the pods as they are now; returns the incidents that changed."""
        now = self.clock.now()
        owner, events, meant = await asyncio.gather(
            self._owner(pods), self._events(pods, now), self._meant(pods, now)
        )
        if self._looks is not None:
            await self._looks.note_pod(pods, now, meant)
        async with self._cache.evaluation(now, self._marks) as tx:
            await pod_coverage(self.target.name).note(tx, now)
            await self._set(tx, unseen_mark(self.target.name), "")
            await self._note_downtime(tx, pods, now)
            muted = await self.muting.of_pod(tx, self.target, now)
            counted = await self._count(tx, pods, now, meant)
            repeated = await self._outages(tx, pods, muted, now, meant)
            problems = self._problems(pods, owner, events, counted, repeated, muted, now, meant)
            name = self.target.name
            about = [source.key(name) for source in (POD_HEALTH, POD_RESTARTS, CLUSTER)]
            changed = await self._cache.update(tx, problems, now, about)
        if self._looks is not None:
            await self._looks.note_template(pods, now)
        return changed

    @property
    def _marks(self) -> Sequence[str]:
        name = self.target.name
        marks = (unseen_mark(name), downtimes_mark(name), restarts_mark(name), outages_mark(name))
        return (pod_coverage(name).last, *marks)

    def _problems(
        self,
        pods: Sequence[Pod],
        owner: Owner,
        events: Sequence[Event],
        counted: Restarts,
        repeated: Outages,
        muted: str,
        now: datetime,
        meant: Explained,
    ) -> list[Problem]:
        hold, keep = self.rules.pod_for, 5 * self.rules.keep_firing
        found = pod_watch.problem(
            self.target, pods, now, hold=hold, keep=keep, owner=owner, events=events, muted=muted, explained=meant
        )
        rising = pod_watch.restarting(self.target, pods, counted, now, hold=2 * hold, muted=muted)
        often = pod_watch.repeated(self.target, pods, repeated, now, muted=muted)
        # If all outages were restarts, `rising` is the better text: it says what ended the containers.
        again = replace(rising, hold=often.hold, severity=often.severity) if rising and often else rising or often
        if often and set(repeated.kinds()) != {"restarted"}:
            again = often
        return [p for p in (found, again) if p is not None]

    async def source_unavailable(self, error: AgentpodError, since: datetime) -> list[Incident]:
        """Raise the incident that the API server can't be read; leaves the pod's own incidents as they are."""
        now = self.clock.now()
        problem = CLUSTER.problem(self.target, since, reasons(error), self.muting.of_target(self.target, now))
        async with self._cache.evaluation(now) as tx:
            await self._set(tx, unseen_mark(self.target.name), since.isoformat())
            return await self._cache.update(tx, [problem], now)

    async def _owner(self, pods: Sequence[Pod]) -> Owner:
        """The Deployment, which may say why no pod is ready; None where one is, or it can't be read."""
        if downtime.ready(pods):
            return None
        try:
            return await self.cluster_of(self.target.name).deployment(self.target.deployment)
        except AgentpodError:
            return None

    async def _events(self, pods: Sequence[Pod], now: datetime) -> Sequence[Event]:
        """The events, where only they say why a pod is not ready; else, or if unreadable, none."""
        if not any(pod_state.asks_events(p, now) for p in judge_pod.live(pods)):
            return ()
        try:
            return await self.cluster_of(self.target.name).events()
        except AgentpodError:
            return ()

    async def _note_downtime(self, tx: Writing, pods: Sequence[Pod], now: datetime) -> None:
        """Save when the pod went down or became ready."""
        before = downtime.from_text(await tx.mark(downtimes_mark(self.target.name)) or "")
        after = downtime.updated(before, pods, now)
        if after is before:
            return
        await tx.set_mark(downtimes_mark(self.target.name), downtime.to_text(after))
        newest = after[-1]
        what, at = ("ready", newest.ready_at) if newest.ready_at else ("down", newest.down_since)
        if not before or before[-1].down_since != newest.down_since:
            await tx.add_history([HistoryEvent(self.target.name, POD, newest.down_since, "down")])
        await tx.add_history([HistoryEvent(self.target.name, POD, at, what)])

    async def _meant(self, pods: Sequence[Pod], now: datetime) -> Explained:
        """The restarts of containers that were approved; read anew where a restart count has changed."""
        counts = [(pod.uid, one.name, one.restarts) for pod in judge_pod.live(pods) for one in pod.lasting]
        if counts != self._counts:
            since = now - REQUESTED
            found = await self.incidents.ledger.requests(target=self.target.name, since=since, limit=100)
            self._explained = frozenset(one for repair in found if (one := restarted_by(repair)) is not None)
            self._counts = counts
        return self._explained

    async def _count(self, tx: Writing, pods: Sequence[Pod], now: datetime, meant: Explained) -> Restarts:
        """Count recent restarts that no incident covers yet: those of a crash loop belong to its own incident."""
        name = self.target.name
        before = restarts.from_json(await tx.mark(restarts_mark(name)) or "")
        after = restarts.updated(before, pods, now, meant)
        if self._is_notified(POD_HEALTH.key(name)) and not self._is_notified(POD_RESTARTS.key(name)):
            after = after.cleared()
        if after != before:
            await tx.set_mark(restarts_mark(name), restarts.to_json(after))
        return after

    async def _outages(
        self, tx: Writing, pods: Sequence[Pod], muted: str, now: datetime, meant: Explained
    ) -> Outages:
        """Count recent short outages that no incident covers; those of a restart by the bot are intended."""
        before = outages.from_json(await tx.mark(outages_mark(self.target.name)) or "")
        after = outages.updated(before, pods, now, self.rules.outage_window, self.rules.outages, meant)
        if muted or (self._is_notified_by_pod() and not self._is_notified(POD_RESTARTS.key(self.target.name))):
            after = after.cleared()
        if after != before:
            await tx.set_mark(outages_mark(self.target.name), outages.to_json(after))
        return after

    def _is_notified_by_pod(self) -> bool:
        """Whether the pod's own incident was or will be announced; a crash loop's lasts through its pauses."""
        open_ = self._cache.open.get(POD_HEALTH.key(self.target.name))
        return open_ is not None and (open_.notified or bool(open_.problem.keep))

    def _is_notified(self, key: str) -> bool:
        open_ = self._cache.open.get(key)
        return open_ is not None and open_.notified

    async def _set(self, tx: Writing, name: str, value: str) -> None:
        """Set a mark, unless it has that value already."""
        if (await tx.mark(name) or "") != value:
            await tx.set_mark(name, value)
