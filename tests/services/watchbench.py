"""The watchers on a real SQLite ledger, with a fake source, pod and chat, and a clock to set."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.core.workload import Pod
from bot.domain.heartbeats.heartbeat import MANUAL, PUSHED, Group, HeartbeatPoll
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule, Identity
from bot.domain.rbac.membership import Membership
from bot.errors import Unreachable
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger
from bot.services.incidents.direct_messages import DirectMessages
from bot.services.incidents.incident_messages import IncidentMessages
from bot.services.incidents.incident_service import IncidentService
from bot.services.incidents.muting import Muting
from bot.services.incidents.watch_heartbeats import HeartbeatWatch
from bot.services.incidents.watch_pod import PodWatch
from bot.services.outbox.worker import OutboxWorker
from tests import handbook
from tests.services.workbench import JONAS, MAYA, OPS, Clock, FakeChat, FakeCluster, opened, sending
from tests.times import utc

JOBS = ("alpha", "beta")
CRITICAL = "🔴 CRITICAL alpha: no heartbeat since 09:00 UTC"
"""The first line of alpha's alert when it stops after `watched`."""


@dataclass
class FakeSource:
    """A Pushgateway with groups to set, or an error to raise."""

    clock: Clock
    groups: dict[tuple[tuple[str, str], ...], Group] = field(default_factory=dict)
    error: Exception | None = None

    async def read(self, metrics: Collection[str]) -> HeartbeatPoll:
        assert metrics
        if self.error is not None:
            raise self.error
        return HeartbeatPoll(list(self.groups.values()))

    def push_by_hand(self, job: str) -> None:
        """Push as `heartbeats push` does."""
        now = self.clock.time.timestamp()
        self.groups[(("job", job),)] = Group({"job": job}, {PUSHED: now, MANUAL: now})

    def push(self, job: str, *, at: float | None = None, **labels: str) -> None:
        """Push a success, now or at the given time."""
        key = tuple(sorted({"job": job, **labels}.items()))
        old = self.groups.get(key)
        gauges = {**(old.gauges if old else {}), "push_time_seconds": at or self.clock.time.timestamp()}
        self.groups[key] = Group(dict(key), gauges)

    def fail(self, job: str) -> None:
        """Record a failed push."""
        key = (("job", job),)
        old = self.groups.get(key)
        gauges = {**(old.gauges if old else {}), "push_failure_time_seconds": self.clock.time.timestamp()}
        self.groups[key] = Group(dict(key), gauges)


@dataclass
class FakePeople:
    """A Slack that says who people are: MAYA may see incidents, and SAM nothing."""

    access: AccessPolicy = field(
        default_factory=lambda: AccessPolicy(rules=(AccessRule(role=roles.VIEWER, users=(MAYA, JONAS)),))
    )
    memberships: dict[str, Membership] = field(default_factory=dict)
    error: Exception | None = None

    async def members(self, groups: Collection[str]) -> frozenset[str]:
        raise NotImplementedError(groups)

    async def person(self, user: str) -> Identity:
        if self.error is not None:
            raise self.error
        return Identity(user, user, membership=self.memberships.get(user, Membership.MEMBER))

    async def zone(self, user: str) -> str:
        assert user
        return "Europe/Berlin"


def policies(*jobs: str, **how: Any) -> tuple[HeartbeatPolicy, ...]:
    """A policy for each job: stale after ten minutes and critical, unless ``how`` says otherwise."""
    usual = {"severity": "critical", "stale_after": "10m"} | how
    return tuple(HeartbeatPolicy.model_validate({"job": job, **usual}) for job in jobs)


@dataclass
class Watch:
    """One process's watchers, and the fakes that processes of the same test share."""

    ledger: Ledger
    clock: Clock
    chat: FakeChat
    source: FakeSource
    cluster: FakeCluster
    rules: AlertRules
    target: Target
    incidents: IncidentService
    heartbeats: HeartbeatWatch
    pod: PodWatch
    outbox_worker: OutboxWorker
    people: FakePeople

    async def look(self, minutes: float = 0) -> list[Incident]:
        """Let time pass, poll the heartbeats, and deliver pending messages."""
        self.clock.pass_(minutes=minutes)
        changed = await self.heartbeats.tick()
        await self.deliver()
        return changed

    async def deliver(self) -> None:
        """Deliver the messages that are due."""
        while await self.outbox_worker.deliver():
            pass

    async def see(self, pods: Sequence[Pod] | None = None, minutes: float = 0) -> list[Incident]:
        """Let time pass, evaluate the pods, and deliver pending messages."""
        self.clock.pass_(minutes=minutes)
        changed = await self.pod.look(self.cluster.pods_ if pods is None else pods)
        await self.deliver()
        return changed

    def first_lines(self) -> list[str]:
        """The first line of each message in the channel, as it is now."""
        roots = {str(n): r for n, (_, thread, r) in enumerate(self.chat.said, start=1) if thread is None}
        return [utc(self.chat.shown[f"{n}.0"].headline, self.clock.now()) for n in roots]

    def thread(self) -> list[str]:
        """The messages in threads, in order."""
        return [reply.headline for _, thread, reply in self.chat.said if thread is not None]


def watch(
    ledger: Ledger,
    *,
    like: Watch | None = None,
    jobs: Sequence[HeartbeatPolicy] | None = None,
    chat: FakeChat | None = None,
    **rules: Any,
) -> Watch:
    """Build the watchers of one process; ``like``: share that one's fakes."""
    clock = like.clock if like else Clock()
    source = like.source if like else FakeSource(clock)
    cluster = like.cluster if like else FakeCluster()
    talk = chat or (like.chat if like else FakeChat())
    given = AlertRules.model_validate(rules) if rules or like is None else like.rules
    target = Target(heartbeats=tuple(jobs)) if jobs is not None else like.target if like else _target()
    incidents = IncidentService(ledger, clock, given, {target.name: OPS})
    muting = Muting(given)
    beats = HeartbeatWatch(source, clock, given, [target], incidents, muting.of)
    pod = PodWatch(target, lambda _: cast("Cluster", cluster), clock, given, incidents, muting)
    news = IncidentMessages(ledger, clock, given)
    people = like.people if like else FakePeople()
    direct = DirectMessages(ledger, clock, people.access, (target.name,), OPS, lambda: people)
    outbox_worker = sending(ledger, talk, clock, (*news.kinds(OPS), *direct.kinds()))
    return Watch(ledger, clock, talk, source, cluster, given, target, incidents, beats, pod, outbox_worker, people)


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[Watch]:
    """Watchers on a new ledger that saw both jobs at nine."""
    async with opened(folder) as ledger:
        made = watch(ledger)
        for job in JOBS:
            made.source.push(job)
        await made.look()
        yield made


async def on(one: Watch, minutes: float, *jobs: str) -> None:
    """Let time pass, have those jobs (by default beta) send a heartbeat, and poll."""
    one.clock.pass_(minutes=minutes)
    for job in jobs or ("beta",):
        one.source.push(job)
    await one.look()


async def stale(one: Watch) -> Watch:
    """Alpha has stopped, and its alert is posted."""
    for _ in range(11):
        await on(one, 1)
    assert one.first_lines() == [CRITICAL]
    return one


def _target() -> Target:
    return handbook.target(heartbeats=policies(*JOBS), node=None)


def down() -> list[Pod]:
    """A pod whose container crashes."""
    from tests.services.workbench import pod

    healthy = pod(1)
    container = replace(healthy.containers[0], ready=False, state="waiting", reason="CrashLoopBackOff")
    return [replace(healthy, containers=(container,))]


AWAY = Unreachable("The Pushgateway can't be reached: connection refused.")
MIN = timedelta(minutes=1)
