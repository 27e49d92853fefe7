"""Each extension point takes an extension that is registered at run time, and all parts of the bot use it."""

from __future__ import annotations

import asyncio
import importlib
import logging
import pkgutil
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

import bot.services.health.checks
import bot.services.incidents
from bot.adapters.ledger.ledger import SqlLedger
from bot.domain.approvals.actions import registry as actions
from bot.domain.approvals.actions.action import RepairAction, Wanted, with_reason
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState, Snapshot
from bot.domain.approvals.repair import ExecutionResult, Proposal, RepairRequest
from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Button, Reply, plain
from bot.domain.core.target import SshSpec, Target
from bot.domain.core.workload import Right, Service
from bot.domain.digest.when import When
from bot.domain.incidents import bridge, sources
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.source import ProblemSource
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.domain.rbac import roles
from bot.domain.rbac.access import Identity
from bot.domain.rbac.roles import Capability, Role
from bot.errors import Conflict, Permanent, Transient, Uncertain
from bot.runbook.command import GROUPS, Command, NoParams
from bot.runbook.context import Alerts, Caller, Context
from bot.runbook.dispatch import Dispatcher
from bot.services.approvals.actions import registry as executions
from bot.services.approvals.actions.execution import Stepwise
from bot.services.approvals.lease_holder import LeaseHolder
from bot.services.digest.post_digest import DigestMessages
from bot.services.health.check import Check
from bot.services.health.checks import registry as checks
from bot.services.health.reads import CheckContext, Reads
from bot.services.health.rights import EXEC
from bot.services.incidents.incident_cache import TargetWatch
from bot.services.incidents.issue_messages import issue_keys
from bot.services.incidents.muting import Muting
from bot.services.incidents.orphans import OrphanCloser
from bot.services.outbox.kind import MessageKind
from bot.settings.model import LedgerSettings, Settings
from bot.wiring.incidents import other_messages
from bot.wiring.parts import Parts, SystemClock
from bot.wiring.rights import READERS, rights_needed
from bot.wiring.watchers import TARGET_WATCHERS
from commands import registry
from commands.incidents import incidents
from tests.commands.fakes import FakeCluster, World, text_of
from tests.healthy import CHECKS, HEALTHY, all_ok, checks_made
from tests.people import member
from tests.services.watchbench import Watch, watch
from tests.services.workbench import JONAS, MAYA, PRIYA, TARGET, Bench, FakeChat, bench, opened


class _NoMetrics:
    def command_done(self, command: str, outcome: str, seconds: float) -> None:
        pass


async def _greet(ctx: Context, params: NoParams) -> Reply:
    return Reply(f"Hello from {ctx.target.name}")


GREET = Command("greet", "Say hello", Capability.HELP, _greet, examples=("greet",), group="Observe")


async def _silent(_: Reply) -> None:
    pass


async def _answer(tmp_path: Path, line: str) -> Reply:
    settings = Settings(ledger=LedgerSettings(url=f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"))
    parts = Parts.build(settings, more=[GREET])
    try:
        caller = Caller(Identity(user="maya", channel="terminal"), "terminal")
        dispatcher = parts.dispatcher("agentpod", _NoMetrics())
        return await dispatcher.run(line, caller, request_id="req-1", progress=_silent)
    finally:
        await parts.close()


async def test_a_command_is_run_explained_and_suggested(tmp_path: Path) -> None:
    assert (await _answer(tmp_path, "greet")).headline == "Hello from secure-agent-pod"
    assert "greet" in repr(await _answer(tmp_path, "help"))
    assert "Say hello" in repr(await _answer(tmp_path, "help greet"))
    assert "greet" in repr(await _answer(tmp_path, "gret"))


@pytest.mark.parametrize("name", ["status", "ack", GREET.name])
def test_duplicate_command_names_are_refused(name: str) -> None:
    again = Command(name, "Another one", Capability.HELP, _greet)
    with pytest.raises(ValueError, match=f"two commands are called '{name}'"):
        registry.build([GREET, again])


def test_an_unknown_group_of_commands_is_refused() -> None:
    with pytest.raises(ValueError, match="the command 'greet' is in the group 'Observing'; known: "):
        registry.build([replace(GREET, group="Observing")])


def test_what_shows_the_pod_s_inside_is_audited() -> None:
    """All but the overviews, which run the same few commands many times a day and show none of their output.

    Restarts and copies of keys are in the trail as requests, and what they run as their steps. `status` and `pods`
    are recorded where they show a crash's log lines (tests/core/test_dispatch.py).
    """
    of_inside = {*EXEC, Right("get", "pods", subresource="log")}
    inside = {command.name for command in registry.BUILTIN if of_inside & set(command.rights(Target()))}
    audited = {command.name for command in registry.BUILTIN if command.audited}
    assert inside - audited == {"", "status", "pods", "dashboard", "digest", "restart", "ssh keys copy"}


def test_every_group_has_commands() -> None:
    declared = {"Runbook"}  # of the commands in runbook files
    assert {command.group for command in registry.BUILTIN} | declared == set(GROUPS)


# -- a role


RESPONDER = Role("responder", frozenset({Capability.VIEW, Capability.HANDLE_INCIDENTS}))
RESPONDS = {
    "incidents",
    "ack",
    "snooze",
    "report",
    "changes",
    "status",
    "pods",
    "events",
    "identity",
    "processes",
    "services",
} | {
    *(
        "",
        "image",
        "configs",
        "kanban",
        "egress",
        "cron",
        "cron scripts",
        "ssh info",
        "argocd",
        "storage",
        "diagnose",
        "heartbeats",
        "digest",
        "preferences",
        "approvals",
        "dashboard",
        "help",
        "whoami",
    )
}

SAM = Caller(member("U07SAM00004", "C07OPS00001"), "slash")


@asynccontextmanager
async def _responder(tmp_path: Path) -> AsyncIterator[Dispatcher]:
    """The bot's dispatcher, with settings that give the role to Sam."""
    access = {"contact": "Priya", "rules": [{"role": "responder", "users": [SAM.who], "name": "night watch"}]}
    ledger = {"url": f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"}
    with roles.also(RESPONDER):
        parts = Parts.build(Settings.model_validate({"access": access, "ledger": ledger}))
        try:
            yield parts.dispatcher("/agentpod", _NoMetrics())
        finally:
            await parts.close()


async def test_a_role_is_given_by_the_settings_and_explained(tmp_path: Path) -> None:
    async with _responder(tmp_path) as dispatcher:
        run = partial(dispatcher.run, caller=SAM, request_id="req-1", progress=_silent)
        assert (await run("whoami")).headline == "You are a responder (rule: night watch)"
        listed = (await run("help")).data["commands"]
        assert listed == [c.name for c in registry.BUILTIN if c.name and c.name in RESPONDS]
        assert "operator or higher, or responder" in text_of(await run("help ack"))
        refused = await run("logs")
        reason = "it needs the role operator, and you are a responder (rule: night watch)"
        assert refused.headline == f"You may not run logs: {reason}."
        assert "Ask Priya for access, and send what " in refused.body[0]


async def test_a_role_may_run_what_it_is_meant_to_and_nothing_else(tmp_path: Path) -> None:
    lines = {c.name: c.examples[0] if c.examples else c.name for c in registry.BUILTIN}
    lines |= {"secrets enter": "secrets enter r-7k2m9xwq"}
    async with _responder(tmp_path) as dispatcher:
        refusals = {name: await dispatcher.refusal(line, SAM) for name, line in lines.items()}
    assert {name for name, refusal in refusals.items() if refusal is None} == RESPONDS
    said = {refusal.headline.partition(":")[0] for refusal in refusals.values() if refusal is not None}
    assert said == {f"You may not run {name}" for name in lines.keys() - RESPONDS}


# -- a check in status


def _judge_balancers(services: Sequence[Service]) -> Finding:
    """The judge, which in the project is a pure function in `bot/domain/health/`."""
    waiting = [s.name for s in services if s.type == "LoadBalancer" and not s.ingress]
    if not waiting:
        return Finding("balancers", "Load balancers", Verdict.OK, "each has an address")
    return Finding("balancers", "Load balancers", Verdict.FAIL, f"{waiting[0]} has no address")


class _BalancersCheck(Check):
    """Whether each load balancer has an address."""

    id, title, about = "balancers", "Load balancers", "the load balancers"
    steps = (("Push", "heartbeats"),)

    async def run(self, reads: Reads) -> Finding:
        return _judge_balancers(await reads.services())

    @classmethod
    def of(cls, ctx: CheckContext) -> Sequence[Check]:
        return [cls()] if ctx.target.services else []

    @classmethod
    def left_out(cls, ctx: CheckContext) -> str:
        return f"load balancers ({ctx.target.name} has no services)"

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        return (Right("list", "services"), Right("get", "ipaddresspools", "metallb.io", name=target.name))


class _CountingCluster(FakeCluster):
    """Counts how often the Services are listed."""

    listed = 0

    async def services(self) -> Sequence[Service]:
        self.listed += 1
        return await super().services()


async def test_a_check_is_made_by_status_beside_the_others_and_shares_their_reads() -> None:
    world = World(cluster=_CountingCluster())
    with checks.also(_BalancersCheck):
        reply = await world.run("status")
        assert reply.headline == all_ok(CHECKS + 1)
        assert reply.findings[-1].summary == "each has an address"
        assert world.cluster.listed == 1
        assert (await world.run("dashboard")).headline == all_ok(CHECKS + 1)
    assert (await world.run("status")).headline == HEALTHY


async def test_a_check_that_fails_is_said_with_what_helps() -> None:
    world = World()
    world.cluster.services_answer.append(Service("spare", "LoadBalancer", "10.0.0.9"))
    with checks.also(_BalancersCheck):
        reply = await world.run("status")
    assert reply.headline == "Not healthy: spare has no address"
    assert ("Push", "heartbeats") in [(b.label, b.command) for b in reply.buttons]


async def test_a_check_that_can_t_be_read_is_unknown_under_the_cause_of_all() -> None:
    world = World()
    world.cluster.services_answer = Transient("The API server answered with 500.")
    with checks.also(_BalancersCheck):
        reply = await world.run("status")
    assert reply.headline == "Could not tell: the API server answered with 500"
    assert reply.findings[0].evidence[-1] == "Not checked because of it: Services, Endpoints, Load balancers"


async def test_a_check_that_does_not_apply_is_left_out_with_its_reason() -> None:
    bare = Target(services=())
    with checks.also(_BalancersCheck):
        reply = await World(target=bare).run("status")
    assert reply.headline == all_ok(checks_made(bare))
    assert reply.notes[0] == "Not checked: load balancers (secure-agent-pod has no services)"


def test_a_check_s_rights_are_those_of_status_and_of_the_dashboard() -> None:
    needed = Right("get", "ipaddresspools", "metallb.io", name="secure-agent-pod")
    commands = [c for c in registry.BUILTIN if c.name in ("", "status", "dashboard")]
    assert [needed in c.rights(Target()) for c in commands] == [False] * 3
    with checks.also(_BalancersCheck):
        assert [needed in c.rights(Target()) for c in commands] == [True] * 3


def test_two_checks_of_one_id_are_refused() -> None:
    again = type("Again", (_BalancersCheck,), {"id": "pod"})
    with pytest.raises(ValueError, match="the check 'pod' is registered twice"), checks.also(again):
        pass


def test_every_check_of_the_package_is_in_status_and_in_its_help() -> None:
    package = bot.services.health.checks
    modules = [
        importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)
    ]
    made = {v for m in modules for v in vars(m).values() if isinstance(v, type) and issubclass(v, Check)}
    assert made - {Check} == set(checks.BUILTIN)
    assert len({check.id for check in checks.BUILTIN}) == len(checks.BUILTIN)
    status = next(c for c in registry.BUILTIN if c.name == "status")
    assert all(check.about and check.about in status.details for check in checks.BUILTIN)


# -- a problem source


@dataclass(frozen=True)
class _Certificate(ProblemSource):
    """A certificate that expires: each of those that a label of the target names."""

    def problem(self, one: Watch, host: str, days: int) -> Problem:
        return Problem(
            key=self.key(one.target.name, host),
            kind=self.stored,
            target=one.target.name,
            subject=f"the certificate of {host}",
            summary=f"expires in {days} days",
            severity="critical",
            since=one.clock.now(),
            issue="o/r#7",
        )

    def recovered(self, problem: Problem) -> str:
        return f"{problem.subject} was renewed"

    def orphaned(
        self,
        problem: Problem,
        target: Target,
        *,
        heartbeats: bool,
        checks: Collection[str] = (),
    ) -> str:
        assert heartbeats
        return "" if problem.key.endswith(f":{target.node}") else "the host is no longer in the settings"

    def alert_name(self, problem: Problem) -> str:
        return f"{problem.target}-certificate-expires"


CERTIFICATE = _Certificate("certificate", restart=False, diagnosis="services")
sources.KNOWN.register(CERTIFICATE)
HOST = "vibe.example.test"
SUBJECT = f"the certificate of {HOST}"


CERTIFICATES = Right("list", "certificates", "cert-manager.io")


class _CertificateWatch(TargetWatch):
    """Checks the hosts' certificates."""

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:  # noqa: ARG003 - the same for every target
        return [CERTIFICATES]

    async def look(self, found: Sequence[Problem], *hosts: str) -> list[Incident]:
        now = self.clock.now()
        async with self._cache.evaluation(now) as tx:
            muted = self.muting.of_target(self.target, now)
            problems = [replace(problem, muted=muted) for problem in found]
            about = [CERTIFICATE.key(self.target.name, host) for host in hosts]
            return await self._cache.update(tx, problems, now, about)


@dataclass
class _World:
    """A bot that also watches certificates."""

    watch: Watch
    watcher: _CertificateWatch

    @classmethod
    def of(cls, made: Watch) -> _World:
        muting = Muting(made.rules)
        target = made.target.model_copy(update={"node": HOST})
        watcher = _CertificateWatch(target, made.pod.cluster_of, made.clock, made.rules, made.incidents, muting)
        return cls(made, watcher)

    async def look(self, minutes: float, days: int | None) -> str:
        """Advance the clock and poll; returns the newest message in the channel in its present state."""
        self.watch.clock.pass_(minutes=minutes)
        problems = [CERTIFICATE.problem(self.watch, HOST, days)] if days is not None else []
        await self.watcher.look(problems, HOST)
        await self.watch.deliver()
        return self.watch.first_lines()[-1]

    async def incidents(self, *args: str) -> Reply:
        """The command's reply."""
        here = replace(World().context(), ledger=self.watch.ledger, clock=self.watch.clock)
        ctx = replace(here, alerts=cast("Alerts", self.watch.incidents))
        return await incidents.run(ctx, incidents.IncidentsParams(id=args[0] if args else None))

    async def digest(self) -> Reply:
        """The digest of today so far."""
        one = self.watch
        messages = DigestMessages(one.ledger, one.clock, [one.target], When(time(9), "UTC"), None, one.rules)
        return await messages.digest(one.clock.now().date())

    async def close_orphans(self, target: Target) -> str:
        """Restart the bot with other settings."""
        await OrphanCloser([target], True, self.watch.clock, self.watch.incidents).close()
        await self.watch.deliver()
        return self.watch.first_lines()[-1]


async def test_a_problem_source_fires_is_acknowledged_and_recovers(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        world = _World.of(watch(ledger))
        assert await world.look(0, 3) == f"🔴 CRITICAL {SUBJECT}: expires in 3 days"
        [card] = world.watch.chat.shown.values()
        [told] = await ledger.incidents(live=True)
        diagnose = 'services --target "secure-agent-pod"'
        assert [b.command for b in card.buttons] == [f"ack {told.id}", diagnose], "no restart"

        await world.watch.incidents.acknowledge(told.id, "U07MAYA")
        assert await world.look(1, 3) == f"👀 CRITICAL {SUBJECT}: expires in 3 days"
        listed = await world.incidents()
        assert listed.headline == f"CRITICAL {SUBJECT}: expires in 3 days"
        assert plain(listed.body[0]) == f"{told.id} · for 1 min · acknowledged by @U07MAYA"
        assert SUBJECT in (await world.incidents(told.id)).headline
        assert f"👀 CRITICAL {SUBJECT}" in "".join(plain(fact.value) for fact in (await world.digest()).facts)
        alert = bridge.alert("o/r#7", await ledger.incidents(), world.watch.clock.now())
        assert alert is not None
        assert alert["commonLabels"]["alertname"] == "secure-agent-pod-certificate-expires"

        await world.look(1, None)
        assert await world.look(2, None) == f"✅ {words.upper_first(SUBJECT)} was renewed after 2 min"
        assert f"✅ {words.upper_first(SUBJECT)} was renewed after 2 min" in text_of(await world.incidents())
        assert (await world.digest()).facts == ()


async def test_a_problem_source_finds_its_orphans(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        world = _World.of(watch(ledger))
        firing = await world.look(0, 3)
        assert await world.close_orphans(world.watcher.target) == firing, "it is named still"
        gone = f"⚪ {words.upper_first(SUBJECT)}: closed, the host is no longer in the settings"
        assert await world.close_orphans(world.watch.target.model_copy(update={"node": "other"})) == gone
        assert not await ledger.incidents(live=True)
        assert gone in text_of(await world.incidents())


def test_duplicate_problem_sources_are_refused() -> None:
    with pytest.raises(ValueError, match="problem source 'certificate' is registered twice"):
        sources.KNOWN.register(_Certificate("certificate"))


async def test_a_problem_source_respects_the_target_s_maintenance(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        planned = {"name": "renewal", "lasts": "1h", "schedule": "0 9 * * *"}
        made = watch(ledger, maintenance=[planned])
        world = _World.of(made)
        made.clock.pass_(minutes=1)
        await world.watcher.look([CERTIFICATE.problem(made, HOST, 3)], HOST)
        await made.deliver()
        assert made.chat.said == []
        assert "maintenance renewal" in text_of(await world.incidents())
        assert await world.look(60, 3) == f"🔴 CRITICAL {SUBJECT}: expires in 3 days"


def test_a_watcher_s_rights_are_needed() -> None:
    more = rights_needed(Target(), registry.BUILTIN, {**READERS, "certificate": _CertificateWatch})
    assert [*rights_needed(Target(), registry.BUILTIN), CERTIFICATES] == more
    everything = {right for reader in READERS.values() for right in reader.rights(Target())}
    assert everything == set(rights_needed(Target(), (), READERS))


def test_every_watcher_of_a_target_is_a_reader() -> None:
    assert set(TARGET_WATCHERS.items()) <= set(READERS.items())


class _Clock(SystemClock):
    """A clock that can be advanced."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def now(self) -> datetime:
        return super().now() + self.passed


class _Pager:
    """A sink, such as for a paging service."""

    name = "pager"

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.pages: list[tuple[str, str]] = []

    async def deliver(self, message: OutboxMessage, content: str) -> MessageRef:
        if self.errors:
            raise self.errors.pop()
        self.pages.append((message.place, content))
        return MessageRef(message.place, message.key.id)

    async def close(self) -> None:
        self.pages.append(("", "closed"))


async def _page(message: OutboxMessage) -> str:
    return f"Wake up: {message.key.id} is full"


async def _called(key: MessageKey) -> str:
    return f"the page about {key.id}"


PAGE = MessageKind("page", _page, _called, sink="pager", place="on-call")


@asynccontextmanager
async def _paging(tmp_path: Path, pager: _Pager, clock: SystemClock) -> AsyncIterator[Parts]:
    """The bot's parts on a SQLite ledger, with the kind and the sink, and one pending message."""
    settings = Settings(ledger=LedgerSettings(url=f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"))
    parts = Parts.build(settings, clock=clock, kinds=[PAGE], sinks=[pager])
    try:
        async with parts.ledger.writing() as tx:
            await tx.enqueue(MessageKey.of(PAGE.name, "disk"), "the old number")
        yield parts
    finally:
        await parts.close()


async def _incidents(parts: Parts) -> Reply:
    caller = Caller(Identity(user="maya", channel="terminal"), "terminal")
    return await parts.dispatcher("agentpod", _NoMetrics()).run(
        "incidents", caller, request_id="req-1", progress=_silent
    )


async def test_a_kind_of_message_and_its_sink_are_sent_retried_and_described(tmp_path: Path) -> None:
    pager, clock = _Pager(), _Clock()
    seen: list[tuple[str, str]] = []
    async with _paging(tmp_path, pager, clock) as parts:
        worker = parts.outbox.worker(FakeChat(), lambda kind, outcome: seen.append((kind, outcome)))
        assert await parts.outbox.rerouter().move() == 1
        pager.errors = [Permanent("The pager does not know the number.", remedy="Give it one.")]
        assert await worker.deliver()
        [said] = [fact.value for fact in (await _incidents(parts)).facts if fact.label == "Not delivered"]
        assert said == "The page about disk, for channel on-call: The pager does not know the number. Give it one."
        assert not await worker.deliver(), "it is not tried again at once"
        clock.passed += timedelta(minutes=2)
        assert await worker.deliver()
        assert pager.pages == [("on-call", "Wake up: disk is full")]
        assert (await _incidents(parts)).facts == ()
        assert await parts.ledger.waiting() == 0
    assert seen == [("page", "dead"), ("page", "ok")]
    assert pager.pages[-1] == ("", "closed")


def _pages(incident: Incident) -> dict[MessageKey, str]:
    """The page about a critical incident."""
    critical = incident.problem.severity == "critical"
    return {MessageKey.of(PAGE.name, incident.problem.subject): "the number"} if critical else {}


async def test_incidents_are_sent_to_another_sink_with_or_without_a_channel(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        world, pager = _World.of(watch(ledger)), _Pager()
        one = world.watch
        one.outbox_worker.kinds = one.outbox_worker.kinds.with_([PAGE])
        one.outbox_worker.sinks = one.outbox_worker.sinks.with_([pager])
        one.incidents.others = (_pages,)
        paged = ("the number", f"Wake up: {SUBJECT} is full")
        await world.look(0, 3)
        assert pager.pages == [paged]
        one.incidents.channels = {}
        await world.look(1, None)
        await world.look(2, None)
        assert set(pager.pages) == {paged}
        assert len(pager.pages) > 1, "also its end, without a channel"


def test_the_health_bridge_gets_incidents_once_it_has_an_address() -> None:
    assert other_messages(Settings()) == []
    bridged = Settings.model_validate({"bridge": {"url": "https://bridge.example", "token": "x" * 20}})
    assert other_messages(bridged) == [issue_keys]


async def test_a_message_of_an_unknown_kind_or_sink_is_listed_by_its_key(tmp_path: Path) -> None:
    async with _paging(tmp_path, _Pager(), SystemClock()):
        pass
    settings = Settings(ledger=LedgerSettings(url=f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"))
    parts = Parts.build(settings)
    try:
        assert await parts.outbox.worker(FakeChat(), lambda *_: None).deliver()
        [said] = [fact.value for fact in (await _incidents(parts)).facts if fact.label == "Not delivered"]
    finally:
        await parts.close()
    assert str(said).startswith("The message page:disk, for channel the old number: Nobody knows what")


@pytest.mark.parametrize(("kinds", "sinks"), [([replace(PAGE, name="card")], []), ([], [_Pager(), _Pager()])])
def test_duplicate_kinds_and_sinks_are_refused(
    tmp_path: Path, kinds: list[MessageKind], sinks: list[_Pager]
) -> None:
    with pytest.raises(ValueError, match="is registered twice"):
        Parts.build(Settings(), kinds=kinds, sinks=sinks)


# -- a repair action


class Reopen(RepairAction):
    name = "gates open"
    title = "Opening of {subject} of {target}"
    done = "{subject} of {target} is open"

    def again_line(self, wanted: Wanted) -> str:
        return with_reason(f"gates open {wanted.subject}", wanted)

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        return (Button("Close it again", f"gates close {wanted.subject}"),)

    def rights(self, target: Target) -> Sequence[Right]:
        return [Right(verb, "gates", "example.org", name=target.deployment) for verb in ("get", "patch")]


REOPEN = Reopen()


@dataclass(frozen=True)
class Gate:
    version: str = "1"
    by: str = ""
    open: bool = False


@dataclass
class GateCluster:
    """One gate, which opens one poll after the command; the answer to the first call is lost."""

    gate: Gate = field(default_factory=Gate)
    calls: int = 0

    def look(self) -> Gate:
        seen = self.gate
        self.gate = replace(seen, open=bool(seen.by))
        return seen

    def tell(self, seen: Gate, by: str) -> Gate:
        self.calls += 1
        if seen.version != self.gate.version:
            raise Conflict("The gate was changed.")
        self.gate = Gate(str(int(seen.version) + 1), by)
        raise Uncertain("nobody knows")


def bound_to(gate: Gate) -> Snapshot:
    return Snapshot("uid-g", 0, version=gate.version, kind="Gate")


class ReopenExecution(Stepwise[Gate]):
    action = REOPEN

    def __init__(self, gates: GateCluster) -> None:
        self.gates = gates

    async def look(self, repair: RepairRequest, holder: LeaseHolder) -> Gate:
        assert repair.target in holder.targets
        return self.gates.look()

    def snapshot(self, seen: Gate) -> Snapshot:
        return bound_to(seen)

    def is_made(self, repair: RepairRequest, seen: Gate, *, tried: bool) -> bool:
        return seen.by == repair.id

    async def call(self, repair: RepairRequest, seen: Gate, holder: LeaseHolder) -> Gate:
        return self.gates.tell(seen, repair.id)

    async def follow(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        while not self.gates.look().open:
            repair = await holder.sleep(repair, holder.tick)
        await holder.conclude(repair, RequestState.SUCCEEDED, ExecutionResult("it is open", holder.clock.now()))


@pytest_asyncio.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    async with opened(tmp_path) as made:
        yield made


async def _asked(one: Bench, gate: Gate) -> RepairRequest:
    proposal = Proposal(REOPEN, bound_to(gate), "visitors", "The gate opens.", subject="gate 7")
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


async def test_a_repair_is_requested_approved_executed_once_and_verified(
    ledger: SqlLedger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "agentpod.repairs")
    gates = GateCluster()
    one = bench(ledger, policy=ApprovalPolicy(needed=2))
    one.executor.known = one.executor.executions.with_([ReopenExecution(gates)])
    with actions.also(REOPEN):
        repair = await _asked(one, gates.gate)
        await one.deliver()
        card = one.chat.said[0][2]
        assert card.headline == "✋ Opening of gate 7 of secure-agent-pod: has 0 of 2 approvals"
        assert card.notes[0].endswith("void if the Gate changes")
        await one.say(repair, Choice.APPROVE, JONAS)
        await one.say(repair, Choice.APPROVE, PRIYA)
        ended = await one.ended(repair)
        await one.deliver()
        assert (ended.state, ended.action, gates.calls, gates.gate.open) == (
            RequestState.SUCCEEDED,
            REOPEN,
            1,
            True,
        )
        shown = next(iter(one.chat.shown.values()))
        assert shown.headline == "✅ gate 7 of secure-agent-pod is open"
        assert [b.command for b in shown.buttons] == ["gates close gate 7"]
    log = {r.message: r for r in caplog.records}
    assert log["repair succeeded"].__dict__["action"] == "gates open"
    assert log["repair succeeded"].__dict__["approved_by"] == f"{JONAS},{PRIYA}"
    trail = [(r.kind, dict(r.data)) for r in await one.trail() if r.subject == repair.id]
    assert [kind for kind, _ in trail] == ["request", "decision", "decision", "execution", "execution", "outcome"]
    assert trail[0][1]["action"] == trail[3][1]["action"] == "gates open"


async def test_a_repair_is_void_if_its_target_changed_after_the_approval(ledger: SqlLedger) -> None:
    gates = GateCluster()
    one = bench(ledger)
    one.executor.known = one.executor.executions.with_([ReopenExecution(gates)])
    with actions.also(REOPEN):
        repair = await _asked(one, gates.gate)
        gates.gate = Gate("2")
        await one.say(repair, Choice.APPROVE, JONAS)
        ended = await one.ended(repair)
        await one.deliver()
    assert ended.outcome is not None
    assert (ended.state, ended.outcome.text, gates.calls) == (RequestState.VOID, "the Gate was changed", 0)
    card = next(iter(one.chat.shown.values()))
    again = 'gates open gate 7 --reason "visitors" --target "secure-agent-pod"'
    assert [b.command for b in card.buttons] == [again]


async def test_a_repair_sent_by_a_dead_process_is_found_and_not_sent_again(ledger: SqlLedger) -> None:
    gates = GateCluster()
    one = bench(ledger)
    with actions.also(REOPEN):
        repair = await _asked(one, gates.gate)
        one.executor.known = one.executor.executions.with_([_Dies(gates)])
        await one.say(repair, Choice.APPROVE, JONAS)
        await one.so(lambda: gates.calls == 1)
        one.executor._tasks.pop(repair.id).cancel()
        two = bench(ledger, name="two", like=one)
        two.executor.known = two.executor.executions.with_([ReopenExecution(gates)])
        assert await two.executor.take_over(at_start=True) == 1
        assert (await two.ended(repair)).state is RequestState.SUCCEEDED
    assert gates.calls == 1


class _Dies(ReopenExecution):
    async def call(self, repair: RepairRequest, seen: Gate, holder: LeaseHolder) -> Gate:
        with suppress(Uncertain):
            self.gates.tell(seen, repair.id)
        return await asyncio.Event().wait()


async def test_requests_for_unknown_actions_are_set_aside(ledger: SqlLedger) -> None:
    one = bench(ledger)
    with actions.also(REOPEN):
        repair = await _asked(one, Gate())
    other = await one.ask(JONAS)
    assert other.state is RequestState.OPEN
    assert [c.id for c in await ledger.requests(states={RequestState.OPEN})] == [other.id]
    with pytest.raises(Permanent, match=f"The request {repair.id} can't be read"):
        await ledger.request(repair.id)


def test_duplicate_repairs_are_refused() -> None:
    with pytest.raises(ValueError, match="'restart' is registered twice"), actions.also(RESTART):
        pass


def test_every_repair_has_its_action_and_execution_modules() -> None:
    assert executions.BUILTIN.names == actions.builtin().names
    for action, execution in zip(actions.builtin(), executions.BUILTIN, strict=True):
        assert execution.action is action
        assert type(execution).__module__.rpartition(".")[2] == type(action).__module__.rpartition(".")[2]


WITH_COMMAND = [action for action in actions.builtin() if action.name != "declared-repair"]
"""Those of a runbook have their commands there: see tests/runbook/test_declared_repairs.py."""


@pytest.mark.parametrize("action", WITH_COMMAND, ids=repr)
def test_the_command_that_asks_for_a_repair_has_its_rights(action: RepairAction) -> None:
    target = Target(secrets=("one", "two"), ssh=SshSpec(secret="keys"))
    command = action.name.partition(" --")[0]
    [asks] = [c for c in registry.BUILTIN if c.name == command]
    assert set(action.rights(target)) <= set(asks.rights(target))
