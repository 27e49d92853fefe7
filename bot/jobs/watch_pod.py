"""The watcher of a pod: what is wrong with it is an incident, and when it was down is kept for its jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain import alerting, pod_watch, words
from bot.domain.alerting import AlertRules, Incident, Kind, Problem
from bot.domain.history import Happening
from bot.domain.judge_deployment import Owner
from bot.domain.pod_watch import Spell
from bot.domain.target import Target
from bot.domain.workload import Pod
from bot.errors import AgentpodError, NotAllowed
from bot.jobs.incidents import Incidents
from bot.jobs.muting import Muting, mark_of, restarting
from bot.ports import Clock, Cluster, Writing

logger = logging.getLogger("agentpod.watch")

EVERY = 10.0
"""Seconds between two looks at a pod that does not change: deadlines pass all the same."""
PATIENCE = 60.0
"""Seconds of an outage until the bot calls itself blind."""
AGAIN = 10.0


@dataclass
class PodWatch:
    """One target's pod."""

    target: Target
    cluster_of: Callable[[str], Cluster]
    clock: Clock
    rules: AlertRules
    incidents: Incidents
    muting: Muting
    _version: str = ""
    _known: dict[str, Incident] = field(default_factory=dict)

    @property
    def blind_key(self) -> str:
        """The key of the incident that the pod can't be seen."""
        return f"source:cluster:{self.target.name}"

    async def run(self) -> None:
        """Watch until cancelled."""
        blind_since: datetime | None = None
        while True:
            try:
                async with aclosing(self._lists()) as lists:
                    async for pods in lists:
                        blind_since = None
                        await self._safely(pods)
            except AgentpodError as error:
                blind_since = blind_since or self.clock.now() - timedelta(seconds=PATIENCE)
                await self._blind_safely(error, blind_since)
            await asyncio.sleep(AGAIN)

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

    async def _safely(self, pods: Sequence[Pod]) -> None:
        try:
            await self.look(pods)
        except AgentpodError as error:
            logger.warning("the pod was not judged: %s", error.message, extra={"target": self.target.name})

    async def _blind_safely(self, error: AgentpodError, since: datetime) -> None:
        try:
            await self.blind(error, since)
        except AgentpodError as other:
            logger.warning("the pod was not judged: %s", other.message, extra={"target": self.target.name})

    async def look(self, pods: Sequence[Pod]) -> list[Incident]:
        """Judge the pods as they are now; gives the incidents that changed."""
        now = self.clock.now()
        owner = await self._owner(pods)
        async with self.incidents.ledger.writing() as tx:
            await self._freshen(tx, now)
            await self._note_spell(tx, pods, now)
            muted = self.muting.of_pod(self.target, await restarting(tx, self.target.name), now)
            found = pod_watch.problem(self.target, pods, now, hold=self.rules.pod_for, owner=owner, muted=muted)
            about = [pod_watch.key_of(self.target.name), self.blind_key]
            return await self._keep(tx, [found] if found else [], now, about)

    async def blind(self, error: AgentpodError, since: datetime) -> list[Incident]:
        """The API server can't be read: that is told, and nothing of the pod."""
        now = self.clock.now()
        problem = Problem(
            self.blind_key,
            Kind.BLIND,
            self.target.name,
            "the Kubernetes API",
            f"can't be read: {words.lower_first(error.message)}",
            "warning",
            now if isinstance(error, NotAllowed) else since,
            facts=(("What to do", error.remedy),) if error.remedy else (),
            advice="status",
            issue=self.target.issue,
        )
        async with self.incidents.ledger.writing() as tx:
            await self._freshen(tx, now)
            return await self._keep(tx, [problem], now, [])

    async def _owner(self, pods: Sequence[Pod]) -> Owner:
        """The Deployment, where it says why a pod is missing."""
        if pod_watch.ready(pods):
            return None
        try:
            return await self.cluster_of(self.target.name).deployment(self.target.deployment)
        except AgentpodError:
            return None

    async def _note_spell(self, tx: Writing, pods: Sequence[Pod], now: datetime) -> None:
        before = Spell.read(await tx.mark(mark_of(self.target.name)) or "")
        after = pod_watch.spell(before, pods, now)
        if after is not None and after != before:
            await tx.set_mark(mark_of(self.target.name), str(after))
            what, at = ("ready", after.ready_at) if after.ready_at else ("down", after.down_since)
            if before is None or before.down_since != after.down_since:
                await tx.happened([Happening(self.target.name, "pod", after.down_since, "down")])
            await tx.happened([Happening(self.target.name, "pod", at, what)])

    async def _keep(self, tx: Writing, problems: list[Problem], now: datetime, about: list[str]) -> list[Incident]:
        mine = {k: i for k, i in self._known.items() if k in (pod_watch.key_of(self.target.name), self.blind_key)}
        changed = alerting.step(mine, problems, self.rules, now, about=about)
        kept = await self.incidents.keep(tx, self._known, changed, now)
        if kept:
            self._version = ""  # read again: what is kept here is only true once it is committed
            self.incidents.changed()
        return kept

    async def _freshen(self, tx: Writing, now: datetime) -> None:
        version = await tx.watched()
        if version != self._version:
            recent = now - max(self.rules.flap_window, timedelta(hours=1))
            self._known = dict(await tx.newest_incidents(recent))
            self._version = version
