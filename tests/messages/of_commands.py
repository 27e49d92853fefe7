"""Every command's answer: for a healthy pod, for broken ones, refused, and called wrongly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import time, timedelta
from pathlib import Path
from typing import Any, cast

from bot.domain.core import words
from bot.domain.core.change import CRONTAB, Change
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Reply
from bot.domain.follow.messages import Follow, not_running, started
from bot.domain.follow.request import FollowRequest
from bot.domain.incidents import alerting
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.domain.incidents.problem import Problem
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.domain.rbac.roles import Role
from bot.errors import Transient
from bot.ports.cluster import Cluster
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Caller, Context
from bot.runbook.dispatch import Dispatcher, crashed
from bot.services.digest.post_digest import DigestMessages, When
from bot.services.incidents.incident_service import IncidentService
from commands.observe import dashboard
from commands.registry import BUILTIN
from sandbox.slack import seed
from tests.commands import test_egress_repair
from tests.commands.fakes import World, undelivered
from tests.messages.example import NOW, Example, home, message, window
from tests.messages.worlds import BROKEN, PATIENCE, whole
from tests.people import member
from tests.services.watchbench import FakePeople
from tests.services.workbench import Bench, bench, opened

FEATURES = {"repair": "Repairs", "incidents": "Incidents", "observe": "Observing", "admin": "General"}
LINES: Mapping[str, tuple[str, ...]] = {
    "": ("",),
    "can-i": ("can-i logs", "can-i secrets set"),
    "secrets enter": ("secrets enter r-7k2m9xwq",),
}
"""Lines of commands that have no examples of their own, or too few."""
RULES = AlertRules()
OPERATOR = Caller(member(seed.MAYA, seed.OPS), "slash")
JONAS = Caller(member(seed.JONAS, seed.OPS), "slash")
APPROVER = Caller(member(seed.PRIYA, seed.OPS), "slash")
NOBODY = Caller(member(seed.SAM, seed.OPS), "slash")
DIRECT = Caller(member(seed.SAM, seed.DM_SAM), "dm")
ACCESS = AccessPolicy(
    rules=(
        AccessRule(role=roles.OPERATOR, users=(seed.MAYA,), name="on-call"),
        AccessRule(role=roles.APPROVER, users=(seed.JONAS, seed.PRIYA), name="leads"),
        AccessRule(role=roles.VIEWER, channels=(seed.GENERAL,)),
    ),
    contact=seed.PRIYA,
)


class Uncounted:
    """Metrics that nobody reads."""

    def command_done(self, command: str, outcome: str, seconds: float) -> None:
        """Count nothing."""


async def quiet(_: Reply) -> None:
    """Show no partial answer."""


@dataclass
class Follows:
    """Follows no log, but answers as if it did."""

    async def start(self, request: FollowRequest, caller: Caller, sees: Any) -> Reply:
        """The answer of one that was begun."""
        return started(Follow("f-7kq2", request, caller.who, NOW, NOW + request.span))

    def target_of(self, id_: str | None) -> str | None:
        """None is known."""
        return None

    def is_of(self, user: str, id_: str | None) -> bool:
        """None is the user's."""
        return False

    async def stop(self, id_: str | None, caller: Caller, sees: Any, *, own: bool = False) -> Reply:
        """The answer where none is followed."""
        return not_running((), None)


@dataclass
class Stage:
    """A ledger with a past, and everything else that a command uses."""

    bench: Bench
    firing: Incident
    over: Incident
    open_request: str

    def context(self, world: World, caller: Caller = OPERATOR) -> Context:
        """The context of a command in ``world``."""
        one, ledger = self.bench, self.bench.ledger
        service = one.approval_service
        service.executor = service.executor.on(lambda _: cast(Cluster, world.cluster))
        when = When(time(9), "UTC")
        return replace(
            world.context(),
            caller=caller,
            access=ACCESS,
            ledger=ledger,
            repairs=service,
            alerts=IncidentService(ledger, one.clock, RULES, {world.target.name: seed.OPS}),
            digests=DigestMessages(ledger, world.context().clock, [world.target], when, None, RULES),
            undelivered=undelivered(ledger),
            follows=Follows(),
            people=FakePeople(),
            targets=(world.target.name,),
        )

    async def run(
        self, line: str, world: World | None = None, caller: Caller = OPERATOR, answers: Any = None
    ) -> Reply:
        """Answer a line as the bot does."""
        made = self.context(world or whole(), caller)
        dispatcher = Dispatcher(BUILTIN, ACCESS, lambda *_: made, Uncounted(), outside=Outside())
        return await dispatcher.run(line, caller, request_id="req-7kq2m9", progress=quiet, answers=answers)

    def line(self, example: str) -> str:
        """A command's example, about what is in the ledger."""
        return example.replace("i-7k2m9xw", self.firing.id).replace("r-7k2m9xwq", self.open_request)


async def staged(folder: Path) -> AsyncIterator[Stage]:
    """A stage with an incident that fires, one that is over, a change and an open request."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a folder of the examples' own
    async with opened(folder) as ledger:
        one = bench(ledger)
        one.clock.time = NOW - timedelta(hours=3)
        over = await _incident(one, "audit-digest", "warning")
        over = await _ended(one, over)
        one.clock.time = NOW - timedelta(minutes=40)
        async with ledger.writing() as tx:
            at = one.clock.time
            await tx.add_changes([Change(one_target(one), CRONTAB, "agent", "", "1 line added", at, at)])
        one.clock.time = NOW - timedelta(minutes=20)
        firing = await _incident(one, "session-manager", "critical")
        one.clock.time = NOW - timedelta(minutes=5)
        stage = Stage(one, firing, over, "")
        asked = await stage.run('restart --reason "session-manager hangs"', caller=JONAS)
        stage.open_request = str(asked.data["id"])
        one.clock.time = NOW
        yield stage
        await one.approval_service.executor.stop(1)


def one_target(one: Bench) -> str:
    """The name of the bench's target."""
    return next(iter(one.approval_service.channels))


async def _incident(one: Bench, job: str, severity: Any) -> Incident:
    target, now = one_target(one), one.clock.time
    seen, due = words.moment(now - timedelta(hours=2, minutes=20)), words.moment(now - timedelta(minutes=30))
    facts = (("Last success", seen), ("Rule", "every 5 min, stale after 10 min"))
    problem = Problem(
        f"heartbeat:{target}:{job}", "heartbeat", target, job, f"no heartbeat since {due}", severity, now, facts
    )
    made = alerting.decide(None, problem, RULES, now)
    assert made is not None
    return await _saved(one, made)


async def _saved(one: Bench, incident: Incident) -> Incident:
    service = IncidentService(one.ledger, one.clock, RULES, {one_target(one): seed.OPS})
    async with one.ledger.writing() as tx:
        [made] = await service.save(tx, {}, [incident], one.clock.time)
    return made


async def _ended(one: Bench, incident: Incident) -> Incident:
    after: Incident | None = incident
    for _ in range(2):
        one.clock.pass_(minutes=2)
        after = alerting.decide(after, None, RULES, one.clock.time)
        assert after is not None
        after = await _saved(one, after)
    assert after is not None
    return after


def feature_of(command: Command) -> str:
    """The heading of a command's answers: that of its package."""
    module = str(getattr(command.run, "func", command.run).__module__).split(".")
    return FEATURES.get(module[1] if module[:1] == ["commands"] else "", "Observing")


def _lines(command: Command) -> tuple[str, ...]:
    return LINES.get(command.name) or command.examples or (command.name,)


CHANGING = ("ack", "snooze", "heartbeats push", "secrets enter", "approve", "deny", "withdraw", "break-glass")
"""Commands besides those that ask for a repair after which the ledger is another one."""


async def healthy(folder: Path) -> AsyncIterator[Example]:
    """Each command's examples, for a healthy pod, as the caller who may.

    What changes the ledger has a stage of its own.
    """
    lines = [(command, line) for command in BUILTIN for line in _lines(command)]
    changing = [one for one in lines if one[0].approvals_at_least or one[0].name in CHANGING]
    async for stage in staged(folder / "reading"):
        for command, line in lines:
            if (command, line) not in changing:
                for one in await _answered(stage, command, line):
                    yield one
    for number, (command, line) in enumerate(changing):
        async for stage in staged(folder / str(number)):
            for one in await _answered(stage, command, line):
                yield one


async def _answered(stage: Stage, command: Command, line: str) -> list[Example]:
    reply = await stage.run(stage.line(line), caller=_who(command))
    return shown(f"/agentpod {line}".strip(), reply, command)


def _who(command: Command) -> Caller:
    operator: Role = roles.OPERATOR
    return OPERATOR if command.needs in operator.may else APPROVER


def shown(title: str, reply: Reply, command: Command, feature: str = "") -> list[Example]:
    """The reply, and its form where it has one."""
    covers, where = (f"command {command.name}",), feature or feature_of(command)
    if reply.form is not None:
        return [window(where, f"{title}, the form", reply.form, covers)]
    return [message(where, title, reply, covers, private=command.private)]


READ = (
    "status",
    "",
    "pods",
    "processes",
    "services",
    "storage",
    "argocd",
    "heartbeats",
    "diagnose",
    "cron",
    "kanban",
)
"""Commands that are also answered for broken pods."""
ASKED: Mapping[str, tuple[str, ...]] = {
    "no pod": ("pods", "logs", "restart --reason why"),
    "crashing": ("pods", "diagnose"),
    "a Secret is missing": ("pods", "diagnose", "events"),
    "a process is gone": ("processes", "diagnose", ""),
    "disk full": ("storage", ""),
    "Kanban answers 502": ("kanban", "services"),
    "SSH refuses": ("services", "ssh info"),
    "jobs are stale": ("heartbeats", "cron"),
    "the Pushgateway is away": ("heartbeats",),
    "no crontab": ("cron",),
    "jobs of several steps": ("cron",),
    "Argo CD degraded": ("argocd",),
    "another user": ("identity",),
    "no exec": ("processes", "cron", "kanban", "ssh info"),
    "five rights missing": ("pods", "events", "services", "storage", "diagnose", "can-i logs"),
    "the API server is away": ("", "pods", "diagnose", "restart --reason why", "heartbeats"),
}
"""The commands besides `status` that are answered for each broken pod."""


async def broken(stage: Stage) -> AsyncIterator[Example]:
    """`status` for each broken pod, and other commands for some."""
    named = {command.name: command for command in BUILTIN}
    for name, break_ in BROKEN.items():
        for line in ("status", *ASKED.get(name, ())):
            world = World(deadline=PATIENCE)
            break_(world)
            reply = await stage.run(line, world)
            command = named.get(line) or named[line.split()[0]]
            feature = "Status, broken" if line == "status" else ""
            title = name if line == "status" else f"/agentpod {line}, {name}".replace(" ,", ",")
            for one in shown(title, reply, command, feature):
                yield one
    for line in ("status", "egress"):
        room = test_egress_repair.room_without()
        room.cluster.policies_answer = {"items": []} if line == "egress" else room.cluster.policies_answer
        for one in shown(f"/agentpod {line}, a repair left the policy missing", await room.say(line), named[line]):
            yield one


async def partial_answers(stage: Stage) -> AsyncIterator[Example]:
    """What is shown while checks still run."""
    seen: list[Reply] = []

    async def keep(reply: Reply) -> None:
        seen.append(reply)

    world = World(deadline=PATIENCE)
    made = replace(stage.context(world), progress=keep)
    dispatcher = Dispatcher(BUILTIN, ACCESS, lambda *_: made, Uncounted())
    await dispatcher.run("status", OPERATOR, request_id="req-7kq2m9", progress=keep)
    if seen:
        yield message("Observing", "/agentpod status, while its checks run", seen[len(seen) // 2])


USAGE = (
    "sttaus",
    "logs --tial 5",
    "logs --tail many",
    "logs --since yesterday",
    "status --target blue",
    "ack",
    "ack i-2222222",
    "approve r-22222222",
    "snooze {incident} soon",
    "help restrat",
    "secrets set nope --reason x",
    "ssh keys remove SHA256:nobody --reason x",
    "restart --container prxy --reason x",
    "image set 1.4.2 --reason x",
    "egress repair --reason x",
    "configs rotate --reason x",
    "diagnose moon",
    "digest 2031-01-01",
    "preferences --dm urgent",
    "preferences --quiet night",
    "cron run nothing.sh --reason x",
    'restart --reason ""',
)
"""Lines that are answered with what is wrong with them."""


async def refusals(stage: Stage) -> AsyncIterator[Example]:
    """Lines that are wrong, that the caller may not run, and a crash."""
    errors = "Refusals and errors"
    for line in USAGE:
        typed = line.replace("{incident}", stage.firing.id)
        reply = await stage.run(typed)
        yield message(errors, f"/agentpod {line}", reply, ("error usage",), private=True)
    for line, caller, who in (
        ("logs", NOBODY, "no role"),
        ("restart --reason why", NOBODY, "no role"),
        (f"approve {stage.open_request}", OPERATOR, "an operator"),
        ("status", DIRECT, "no role, in a direct message"),
        ("help", NOBODY, "no role"),
        ("whoami", NOBODY, "no role"),
        ("dashboard", replace(NOBODY, surface="home"), "no role, on the Home tab"),
    ):
        reply = await stage.run(line, caller=caller)
        yield message(errors, f"/agentpod {line}, {who}", reply, ("error refused",), private=True)
    yield message(errors, "a defect of the bot", crashed("req-7kq2m9"), ("error crash",))
    with _away(stage):
        for line in ("incidents", "approvals", "restart --reason why", f"ack {stage.firing.id}"):
            yield message(
                errors, f"/agentpod {line}, without the ledger", await stage.run(line), ("error ledger",)
            )


@contextmanager
def _away(stage: Stage) -> Iterator[None]:
    """The stage's ledger answers nothing meanwhile."""
    kept, one = stage.bench.ledger, stage.bench
    service = one.approval_service
    one.ledger = service.ledger = cast(Any, _Away())
    try:
        yield
    finally:
        one.ledger = service.ledger = kept


class _Away:
    """A ledger that can't be opened."""

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        await self._raise()
        yield

    def __getattr__(self, name: str) -> Any:
        return self._raise

    async def _raise(self, *_: object, **__: object) -> None:
        raise Transient(
            "The ledger can't be opened: the disk is full.", remedy="Free some room on the ledger's volume."
        )


async def homes(stage: Stage) -> AsyncIterator[Example]:
    """The Home tab, for a healthy pod and for broken ones."""
    caller = replace(OPERATOR, surface="home")
    for name in ("healthy", "a process is gone", "crashing", "jobs are stale", "the API server is away"):
        world = World(deadline=PATIENCE)
        if name != "healthy":
            BROKEN[name](world)
        yield home("Home", name, await stage.run("dashboard", world, caller), ("home",))
    ctx = stage.context(whole(), caller)
    names = [f"agent-pod-{n}" for n in range(2, 15)]
    others = tuple(
        replace(ctx, target=ctx.target.model_copy(update={"name": name, "heartbeats": ()})) for name in names
    )
    every = replace(ctx, others=others, several=True, targets=(ctx.target.name, *names))
    reply = await dashboard.run(every, NoParams())
    yield home("Home", "fourteen targets", reply.with_command("dashboard"), ("home",))


async def examples(folder: Path) -> AsyncIterator[Example]:
    """All answers of commands."""
    async for one in healthy(folder):
        yield one
    async for stage in staged(folder / "broken"):
        for make in (broken, partial_answers, refusals, homes):
            async for one in make(stage):
                yield one
