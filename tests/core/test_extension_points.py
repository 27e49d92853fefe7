"""What is added from one file alone: nothing that is there has to learn of it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import cast

import pytest

import bot.services.incidents
from bot.domain.core.reply import Reply, plain
from bot.domain.core.target import Target
from bot.domain.incidents import bridge, sources
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.source import ProblemSource
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.domain.rbac.access import Identity, Role
from bot.errors import Permanent
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Alerts, Caller, Context
from bot.services.digest.post_digest import DigestMessages, When
from bot.services.incidents.incident_cache import TargetWatch
from bot.services.incidents.muting import Muting
from bot.services.incidents.orphans import OrphanCloser
from bot.services.outbox.kind import MessageKind
from bot.settings.model import LedgerSettings, Settings
from bot.wiring.incidents import TARGET_WATCHERS
from bot.wiring.parts import Parts, SystemClock
from commands import registry
from commands.incidents import incidents
from tests.commands.fakes import World, text_of
from tests.services.watchbench import Watch, watch
from tests.services.workbench import FakeChat, opened


class _Uncounted:
    def command_done(self, command: str, outcome: str, seconds: float) -> None:
        pass


async def _greet(ctx: Context, params: NoParams) -> Reply:
    return Reply(f"Hello from {ctx.target.name}")


GREET = Command("greet", "Say hello", Role.NONE, _greet, examples=("greet",), group="Observe")


async def _silent(_: Reply) -> None:
    pass


async def _answer(tmp_path: Path, line: str) -> Reply:
    settings = Settings(ledger=LedgerSettings(url=f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"))
    parts = Parts.build(settings, more=[GREET])
    try:
        caller = Caller(Identity(user="maya", channel="terminal"), "terminal")
        dispatcher = parts.dispatcher("agentpod", _Uncounted())
        return await dispatcher.run(line, caller, request_id="req-1", progress=_silent)
    finally:
        await parts.close()


async def test_a_command_is_run_explained_and_suggested(tmp_path: Path) -> None:
    assert (await _answer(tmp_path, "greet")).headline == "Hello from secure-agent-pod"
    assert "greet" in repr(await _answer(tmp_path, "help"))
    assert "Say hello" in repr(await _answer(tmp_path, "help greet"))
    assert "greet" in repr(await _answer(tmp_path, "gret"))


@pytest.mark.parametrize("name", ["status", "ack", GREET.name])
def test_two_commands_of_one_name_are_refused(name: str) -> None:
    again = Command(name, "Another one", Role.NONE, _greet)
    with pytest.raises(ValueError, match=f"two commands are called '{name}'"):
        registry.build([GREET, again])


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

    def orphaned(self, problem: Problem, target: Target, *, heartbeats: bool) -> str:
        assert heartbeats
        return "" if problem.key.endswith(f":{target.node}") else "the host is no longer in the settings"

    def alert_name(self, problem: Problem) -> str:
        return f"{problem.target}-certificate-expires"


CERTIFICATE = _Certificate("certificate", restart=False, diagnosis="services")
sources.KNOWN.register(CERTIFICATE)
HOST = "vibe.example.test"
SUBJECT = f"the certificate of {HOST}"


class _CertificateWatch(TargetWatch):
    """Looks at the hosts' certificates."""

    async def look(self, found: Sequence[Problem], *hosts: str) -> list[Incident]:
        now = self.clock.now()
        async with self._known.looking(now) as tx:
            muted = self.muting.of_target(self.target, now)
            problems = [replace(problem, muted=muted) for problem in found]
            about = [CERTIFICATE.key(self.target.name, host) for host in hosts]
            return await self._known.keep(tx, problems, now, about)


@dataclass
class _World:
    """A bot that looks at certificates as well."""

    watch: Watch
    watcher: _CertificateWatch

    @classmethod
    def of(cls, made: Watch) -> _World:
        muting = Muting(made.rules)
        target = made.target.model_copy(update={"node": HOST})
        watcher = _CertificateWatch(target, made.pod.cluster_of, made.clock, made.rules, made.incidents, muting)
        return cls(made, watcher)

    async def look(self, minutes: float, days: int | None) -> str:
        """Time passes, the bot looks; gives the newest message in the channel, as it is then."""
        self.watch.clock.pass_(minutes=minutes)
        problems = [CERTIFICATE.problem(self.watch, HOST, days)] if days is not None else []
        await self.watcher.look(problems, HOST)
        await self.watch.deliver()
        return self.watch.first_lines()[-1]

    async def incidents(self, *args: str) -> Reply:
        """What the command answers."""
        here = replace(World().context(), ledger=self.watch.ledger, clock=self.watch.clock)
        ctx = replace(here, alerts=cast("Alerts", self.watch.incidents))
        return await incidents.run(ctx, incidents.IncidentsParams(id=args[0] if args else None))

    async def digest(self) -> Reply:
        """Today's, as far as it is over."""
        one = self.watch
        messages = DigestMessages(one.ledger, one.clock, [one.target], When(time(9), "UTC"), None, one.rules)
        return await messages.digest(one.clock.now().date())

    async def close_orphans(self, target: Target) -> str:
        """The bot starts anew with other settings."""
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
        assert listed.headline == "1 open incident, critical"
        assert f"👀 CRITICAL {SUBJECT}: expires in 3 days\n{told.id} · for 1 min" in text_of(listed)
        assert SUBJECT in (await world.incidents(told.id)).headline
        assert f"👀 CRITICAL {SUBJECT}" in "".join(plain(fact.value) for fact in (await world.digest()).facts)
        alert = bridge.alert("o/r#7", await ledger.incidents(), world.watch.clock.now())
        assert alert is not None
        assert alert["commonLabels"]["alertname"] == "secure-agent-pod-certificate-expires"

        await world.look(1, None)
        assert await world.look(2, None) == f"✅ {SUBJECT} was renewed after 2 min"
        assert f"✅ {SUBJECT} was renewed after 2 min" in text_of(await world.incidents())
        assert (await world.digest()).facts == ()


async def test_a_problem_source_says_what_the_settings_no_longer_name(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        world = _World.of(watch(ledger))
        firing = await world.look(0, 3)
        assert await world.close_orphans(world.watcher.target) == firing, "it is named still"
        gone = f"⚪ {SUBJECT}: closed, the host is no longer in the settings"
        assert await world.close_orphans(world.watch.target.model_copy(update={"node": "other"})) == gone
        assert not await ledger.incidents(live=True)
        assert gone in text_of(await world.incidents())


def test_two_problem_sources_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="problem source 'certificate' is registered twice"):
        sources.KNOWN.register(_Certificate("certificate"))


async def test_a_problem_source_s_maintenance_is_the_target_s(tmp_path: Path) -> None:
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


def test_every_watcher_of_a_target_is_started() -> None:
    services = [m.name for m in pkgutil.iter_modules(bot.services.incidents.__path__)]
    modules = [importlib.import_module(f"{bot.services.incidents.__name__}.{name}") for name in services]
    watchers = {v for m in modules for v in vars(m).values() if isinstance(v, type) and issubclass(v, TargetWatch)}
    assert watchers - {TargetWatch} == set(TARGET_WATCHERS.values())


class _Clock(SystemClock):
    """A clock that can be set on."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def now(self) -> datetime:
        return super().now() + self.passed


class _Pager:
    """A sink: a folder's worth of code, such as for a paging service."""

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
    """The bot's parts on a SQLite ledger, with the kind and the sink, and one message that waits."""
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
    return await parts.dispatcher("agentpod", _Uncounted()).run(
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


async def test_a_message_whose_sink_or_kind_is_gone_is_listed_by_its_key(tmp_path: Path) -> None:
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
def test_two_kinds_or_sinks_of_one_name_are_refused(
    tmp_path: Path, kinds: list[MessageKind], sinks: list[_Pager]
) -> None:
    with pytest.raises(ValueError, match="is registered twice"):
        Parts.build(Settings(), kinds=kinds, sinks=sinks)
