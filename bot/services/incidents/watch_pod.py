"""The watcher of a pod: what is wrong with it is an incident, and when it was down is kept for its jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.core.history import HistoryEvent
from bot.domain.core.target import POD
from bot.domain.core.workload import Event, Pod
from bot.domain.health import judge_pod, outages, pod_state, restarts
from bot.domain.health.judge_deployment import Owner
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
from bot.services.incidents.incident_cache import TargetWatch, reasons
from bot.services.incidents.muting import mark_of, unseen_of
from bot.services.incidents.poll_coverage import pod_looks

logger = logging.getLogger("agentpod.watch")

EVERY = 10.0
"""Seconds between two looks at a pod that does not change: deadlines pass all the same."""
PATIENCE = 60.0
"""Seconds of an outage until the port gives up."""
AGAIN = 10.0


def restarts_of(target: str) -> str:
    """Under which name the restarts of late are kept."""
    return f"restarts:{target}"


def outages_of(target: str) -> str:
    """Under which name the short outages of late are kept."""
    return f"outages:{target}"


@dataclass
class Sight:
    """Whether the pod can be seen: one odd answer is no blindness."""

    after: int
    """Looks in a row that have to fail."""
    _failures: int = 0
    _since: datetime | None = None

    def sees(self) -> None:
        """The pod was seen."""
        self._failures, self._since = 0, None

    def lost(self, error: AgentpodError, now: datetime) -> datetime | None:
        """Since when the pod can't be seen; None while that may pass by itself.

        A refusal is sure at once; and the port raises `Transient` only after an outage of `PATIENCE`.
        """
        outage = timedelta(seconds=PATIENCE if isinstance(error, Transient) else 0)
        self._failures += 1
        self._since = self._since or now - outage
        sure = isinstance(error, NotAllowed | Transient) or self._failures >= self.after
        return self._since if sure else None


@dataclass
class PodWatch(TargetWatch):
    """One target's pod."""

    async def run(self) -> None:
        """Watch until cancelled."""
        sight = Sight(self.rules.blind_after)
        while True:
            try:
                async with aclosing(self._lists()) as lists:
                    async for pods in lists:
                        await self._safely(self.look(pods))
                        sight.sees()
            except Exception as error:
                await self._lost(sight, error)
            await asyncio.sleep(AGAIN)

    async def _lost(self, sight: Sight, error: Exception) -> None:
        """Whatever goes wrong, however unexpected, is no data: it is told once it lasts."""
        told = error if isinstance(error, AgentpodError) else unexpected("The pod could not be judged", error)
        if told is not error:
            logger.error("the pod was not judged", exc_info=error, extra={"target": self.target.name})
        since = sight.lost(told, self.clock.now())
        if since is not None:
            await self._safely(self.blind(told, since))

    async def _lists(self) -> AsyncGenerator[Sequence[Pod], None]:
        """The pods whenever they change, and again when nothing does."""
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

    async def _safely(self, look: Coroutine[Any, Any, list[Incident]]) -> None:
        """What goes wrong with the ledger is waited out: the next look makes up for it."""
        try:
            await look
        except AgentpodError as error:
            logger.warning("the pod was not judged: %s", error.message, extra={"target": self.target.name})

    async def look(self, pods: Sequence[Pod]) -> list[Incident]:
        """Judge the pods as they are now; gives the incidents that changed."""
        now = self.clock.now()
        owner, events = await asyncio.gather(self._owner(pods), self._events(pods, now))
        async with self._known.looking(now) as tx:
            await pod_looks(self.target.name).note(tx, now)
            await self._set(tx, unseen_of(self.target.name), "")
            await self._note_spell(tx, pods, now)
            muted = await self.muting.of_pod(tx, self.target, now)
            counted = await self._count(tx, pods, now)
            repeated = await self._outages(tx, pods, muted, now)
            problems = self._problems(pods, owner, events, counted, repeated, muted, now)
            name = self.target.name
            about = [source.key(name) for source in (POD_HEALTH, POD_RESTARTS, CLUSTER)]
            return await self._known.keep(tx, problems, now, about)

    def _problems(
        self,
        pods: Sequence[Pod],
        owner: Owner,
        events: Sequence[Event],
        counted: Restarts,
        repeated: Outages,
        muted: str,
        now: datetime,
    ) -> list[Problem]:
        hold, keep = self.rules.pod_for, 5 * self.rules.keep_firing
        found = pod_watch.problem(
            self.target, pods, now, hold=hold, keep=keep, owner=owner, events=events, muted=muted
        )
        rising = pod_watch.restarting(self.target, pods, counted, now, hold=2 * hold, muted=muted)
        often = pod_watch.repeated(self.target, pods, repeated, now, muted=muted)
        # Restarts alone are best told by what ended them.
        again = replace(rising, hold=often.hold, severity=often.severity) if rising and often else rising or often
        if often and set(repeated.kinds()) != {"restarted"}:
            again = often
        return [p for p in (found, again) if p is not None]

    async def blind(self, error: AgentpodError, since: datetime) -> list[Incident]:
        """The API server can't be read: that is told, and nothing of the pod."""
        now = self.clock.now()
        problem = CLUSTER.problem(self.target, since, reasons(error), self.muting.of_target(self.target, now))
        async with self._known.looking(now) as tx:
            await self._set(tx, unseen_of(self.target.name), since.isoformat())
            return await self._known.keep(tx, [problem], now)

    async def _owner(self, pods: Sequence[Pod]) -> Owner:
        """The Deployment, where it says why a pod is missing."""
        if downtime.ready(pods):
            return None
        try:
            return await self.cluster_of(self.target.name).deployment(self.target.deployment)
        except AgentpodError:
            return None

    async def _events(self, pods: Sequence[Pod], now: datetime) -> Sequence[Event]:
        """The events, where they alone say why a pod is not ready."""
        if not any(pod_state.asks_events(p, now) for p in judge_pod.live(pods)):
            return ()
        try:
            return await self.cluster_of(self.target.name).events()
        except AgentpodError:
            return ()

    async def _note_spell(self, tx: Writing, pods: Sequence[Pod], now: datetime) -> None:
        before = downtime.read(await tx.mark(mark_of(self.target.name)) or "")
        after = downtime.seen(before, pods, now)
        if after is before:
            return
        await tx.set_mark(mark_of(self.target.name), downtime.kept(after))
        newest = after[-1]
        what, at = ("ready", newest.ready_at) if newest.ready_at else ("down", newest.down_since)
        if not before or before[-1].down_since != newest.down_since:
            await tx.add_history([HistoryEvent(self.target.name, POD, newest.down_since, "down")])
        await tx.add_history([HistoryEvent(self.target.name, POD, at, what)])

    async def _count(self, tx: Writing, pods: Sequence[Pod], now: datetime) -> Restarts:
        """The restarts of late that nothing has told of: those of a crash loop are its own incident's."""
        name = self.target.name
        before = restarts.from_json(await tx.mark(restarts_of(name)) or "")
        after = restarts.seen(before, pods, now)
        if self._is_told(POD_HEALTH.key(name)) and not self._is_told(POD_RESTARTS.key(name)):
            after = after.told()
        if after != before:
            await tx.set_mark(restarts_of(name), restarts.to_json(after))
        return after

    async def _outages(self, tx: Writing, pods: Sequence[Pod], muted: str, now: datetime) -> Outages:
        """The short outages of late that nothing else tells of: those of a restart from here were meant to be."""
        before = outages.from_json(await tx.mark(outages_of(self.target.name)) or "")
        after = outages.seen(before, pods, now, self.rules.outage_window, self.rules.outages)
        if muted or (self._is_told_by_pod() and not self._is_told(POD_RESTARTS.key(self.target.name))):
            after = after.told()
        if after != before:
            await tx.set_mark(outages_of(self.target.name), outages.to_json(after))
        return after

    def _is_told_by_pod(self) -> bool:
        """Whether the pod's own incident tells of it, or is about to: that of a crash loop outlasts its pauses."""
        open_ = self._known.open.get(POD_HEALTH.key(self.target.name))
        return open_ is not None and (open_.told or bool(open_.problem.keep))

    def _is_told(self, key: str) -> bool:
        open_ = self._known.open.get(key)
        return open_ is not None and open_.told

    async def _set(self, tx: Writing, name: str, value: str) -> None:
        """Keep a single value, unless it is there already."""
        if (await tx.mark(name) or "") != value:
            await tx.set_mark(name, value)
