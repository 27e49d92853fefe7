"""`dashboard`: each target, and what the ledger knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from bot.adapters.cel import CelExpressions
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import ApprovalPolicy, Request, Snapshot
from bot.domain.approvals.forecast import Forecast
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Card, Line, Mention, Reply, plain
from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.core.workload import ExecResult
from bot.domain.heartbeats.heartbeat import HeartbeatPoll
from bot.domain.incidents import alerting
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.domain.incidents.sources.heartbeat import HEARTBEAT
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.runbook.context import Caller, Context
from bot.runbook.file.compiled import compile_runbook
from bot.runbook.file.loader import read
from tests.commands.fakes import DF, FRESH, NOW, FakeCluster, World, beat, pod, said, text_of, undelivered
from tests.commands.test_incidents import incident
from tests.healthy import CHECKS, HEALTHY
from tests.people import member


@dataclass
class Book:
    """A ledger with incidents and undelivered messages."""

    kept: list[Incident] = field(default_factory=list)
    undelivered: list[OutboxMessage] = field(default_factory=list)

    async def incidents(self, limit: int | None = 100, **_: Any) -> Sequence[Incident]:
        return self.kept[:limit]

    asked: list[RepairRequest] = field(default_factory=list)

    async def requests(self, **_: Any) -> Sequence[RepairRequest]:
        return self.asked

    async def mark(self, name: str) -> str | None:
        return None

    async def job_states(self) -> dict[str, Any]:
        return {}

    async def dead(self, since: datetime) -> Sequence[OutboxMessage]:
        assert since == NOW - timedelta(days=7)
        return self.undelivered


def _request(id_: str) -> RepairRequest:
    asked = Request(id_, "U8", NOW, NOW + timedelta(minutes=30), Snapshot("uid", 1))
    return RepairRequest(asked, "secure-agent-pod", RESTART, channel="C1")


async def look(world: World, book: Book | None = None, **changes: Any) -> Reply:
    kept = book or Book()
    changes = {"ledger": kept, "undelivered": undelivered(kept), **changes}
    return await world.run("dashboard", lambda ctx: replace(ctx, **changes))


def blue(world: World, pods: Sequence[Any]) -> tuple[Context, ...]:
    """A second target with these pods."""
    cluster = FakeCluster()
    cluster.pods_answer = pods
    return (replace(world.context(), target=Target(name="blue"), cluster=cluster),)


def said_by(card: Card) -> str:
    return "\n".join(map(plain, card.lines))


def labels(card: Card) -> list[tuple[str, str]]:
    return [(b.label, b.command) for b in card.buttons]


async def test_one_target_is_shown_as_by_status(world: World) -> None:
    reply = await look(world)
    assert reply.headline == HEALTHY
    assert reply.body == ()
    [beats] = reply.cards
    assert said_by(beats).startswith("Heartbeats:\n✅ ")
    assert [b.command for b in beats.buttons] == ["heartbeats"]
    assert reply.again == "Refresh"


async def test_several_targets_are_shown_worst_first(world: World) -> None:
    book = Book([replace(incident("alpha"), problem=replace(incident("alpha").problem, target="blue"))])
    reply = await look(world, book, others=blue(world, []), several=True)
    assert (reply.headline, reply.verdict) == ("Not healthy: blue (1 of 2 targets)", Verdict.FAIL)
    heads = [said_by(card).split("\n")[0] for card in reply.cards]
    assert heads[0].startswith("🔴 blue: Not healthy: ")
    assert heads[1:] == [
        f"✅ secure-agent-pod: {HEALTHY}",
        "⚠️ WARNING alpha (blue): no heartbeat",
        "Heartbeats of blue:",
        "Heartbeats of secure-agent-pod:",
    ]
    assert [labels(card) for card in reply.cards[:3]] == [
        [("Status", 'status --target "blue"')],
        [("Status", 'status --target "secure-agent-pod"')],
        [
            ("Acknowledge", "ack i-alpha"),
            ("Diagnose", 'diagnose --first cron --target "blue"'),
            ("Details", "incidents i-alpha"),
        ],
    ]
    assert reply.notes[-1].startswith("blue, secure-agent-pod · ")


async def test_a_silent_job_is_named_once(world: World) -> None:
    assert world.heartbeats
    world.heartbeats.answer = HeartbeatPoll((*FRESH[:2], beat("session_manager", timedelta(hours=2))))
    silent = replace(incident("x").problem, target=world.target.name, subject="session-manager")
    key = HEARTBEAT.key(world.target.name, "session-manager")
    book = Book([replace(incident("x", "critical"), problem=replace(silent, key=key, severity="critical"))])
    reply = await look(world, book)
    assert reply.headline == "Not healthy: session-manager is stale"
    alert, beats = map(said_by, reply.cards)
    assert alert == "🔴 CRITICAL no heartbeat"
    assert beats.startswith("Other heartbeats:\n✅ ")
    assert "session-manager" not in beats


async def test_of_many_incidents_the_oldest_counts_too(world: World) -> None:
    kept = [incident(f"job-{n}") for n in range(60)]
    reply = await look(world, Book([*kept, incident("oldest", "critical")]))
    assert "oldest" in text_of(reply)


async def test_of_many_targets_the_worst_have_a_card_and_the_others_are_named(world: World) -> None:
    others = tuple(replace(world.context(), target=Target(name=f"t{n}", heartbeats=())) for n in range(13))
    reply = await look(world, others=others, several=True)
    of_targets = [card for card in reply.cards if any(b.label == "Status" for b in card.buttons)]
    assert len(of_targets) == 10
    [rest] = [said_by(card) for card in reply.cards if "more target" in said_by(card)]
    assert rest.startswith("… and 4 more targets:\n✅ t")
    assert rest.endswith("`/agentpod status --target NAME` shows one.")


async def test_requests_and_undelivered_messages_that_are_left_out_are_counted(world: World) -> None:
    asked = [_request(f"r-{n}") for n in range(12)]
    reply = await look(world, Book(asked=asked), repairs=SimpleNamespace(policy=ApprovalPolicy()))
    [rest] = [card for card in reply.cards if "more open request" in said_by(card)]
    assert said_by(rest) == "… and 7 more open requests"
    assert labels(rest) == [("Approvals", "approvals")]
    many = tuple(f"place {n}" for n in range(8))

    async def lines(_: object) -> Sequence[Line]:
        return many

    [said] = (await look(world, undelivered=lines)).body
    assert plain(said).endswith("⚠️ place 4\n… and 3 more: `/agentpod incidents` lists them")


async def test_a_request_that_waits_says_first_what_it_warns_of(world: World) -> None:
    stuck = replace(_request("r-22222222"), forecast=Forecast(stuck="no pod can be created: quota"))
    reply = await look(world, Book(asked=[stuck]))
    [shown] = [one for one in reply.cards if "r-22222222" in said_by(one)]
    seen = words.clock(stuck.request.created_at)
    assert said_by(shown).endswith(f"⚠️ Won't help: no pod can be created: quota. Seen at {seen}.")


async def test_an_incident_says_who_has_it_and_offers_its_diagnosis(world: World) -> None:
    made = alerting.acknowledged(incident("alpha"), "U2", AlertRules(), NOW)
    made = replace(made, problem=replace(made.problem, kind="pod", key="pod:p", target=world.target.name))
    card = (await look(world, Book([made]))).cards[0]
    assert said_by(card).endswith("acknowledged by @U2")
    diagnose = ("Diagnose", f"diagnose --target {words.quoted(world.target.name)}")
    assert labels(card) == [diagnose, ("Details", "incidents i-alpha")]


async def test_problems_shown_elsewhere_are_not_repeated(world: World) -> None:
    world.network.status_answer = 404
    world.cluster.programs["df"] = said(DF.replace("31%", "97%").replace("690000", "10000"))
    assert world.heartbeats
    world.heartbeats.answer = HeartbeatPoll((*FRESH[:2], beat("session_manager", timedelta(hours=2))))
    first = await look(world)
    assert first.headline == "Not healthy: 3 problems, first: VibeKanban answers with HTTP 404"
    [also] = (plain(line).split("\n") for line in first.body)
    beats = said_by(first.cards[-1]).split("\n")
    assert also == ["Also not as it should be:", "🔴 Disk: the disk of /home/claude is 97 % full"]
    assert "🔴 session-manager: stale, last success 2 h ago" in beats
    world.heartbeats.answer = HeartbeatPoll(())
    assert any(
        line.endswith(" session-manager: never seen")
        for line in said_by((await look(world)).cards[-1]).split("\n")
    )
    full = replace(incident("x").problem, target=world.target.name, subject="the disk of /home/claude")
    told = replace(incident("x"), problem=replace(full, summary="is 97 % full"))
    second = await look(world, Book([told]))
    assert (second.headline.endswith("VibeKanban answers with HTTP 404"), second.body) == (True, ())
    assert [said_by(card).split("\n")[0] for card in second.cards] == [
        "⚠️ WARNING the disk of /home/claude is 97 % full",
        "Heartbeats:",
    ]


async def test_excess_incidents_are_counted_and_recovering_ones_come_last(world: World) -> None:
    well = alerting.decide(incident("well", "critical"), None, AlertRules(), NOW)
    assert well is not None
    reply = await look(world, Book([well, *(incident(f"job-{n}") for n in range(6))]))
    *rows, more, _ = map(said_by, reply.cards)
    assert (rows[0], more) == ("⚠️ WARNING job-0: no heartbeat", "… and 2 more open incidents")
    acks = [b.command for card in reply.cards for b in card.buttons if b.label == "Acknowledge"]
    assert acks == [f"ack i-job-{n}" for n in range(5)]
    only = await look(world, Book([well]))
    assert labels(only.cards[0]) == [("Details", "incidents i-well")]


async def test_the_worst_jobs_come_first_and_those_that_have_no_room_are_counted(world: World) -> None:
    names = [f"job-{n:02}" for n in range(30)]
    jobs = tuple(HeartbeatPolicy(job=name, stale_after=timedelta(hours=1)) for name in names)
    world.target = Target(heartbeats=jobs)
    assert world.heartbeats
    late = {"job-07", "job-29"}
    world.heartbeats.answer = HeartbeatPoll([beat(n, timedelta(hours=2 if n in late else 0)) for n in names])
    rows = said_by((await look(world)).cards[-1]).split("\n")
    assert [row.split(":")[0] for row in rows[1:4]] == ["⚠️ job-07", "⚠️ job-29", "✅ job-00"]
    assert (len(rows), rows[-1]) == (27, "… and 5 more: `/agentpod heartbeats` shows all")


async def test_several_healthy_targets_are_one_line_and_a_line_each(world: World) -> None:
    reply = await look(world, others=blue(world, [pod()]))
    assert (reply.headline, reply.verdict) == (f"Healthy: 2 targets, {2 * CHECKS} checks ok", Verdict.OK)


async def test_what_could_not_be_delivered_is_said_once_for_each_reason(world: World) -> None:
    gone = "Slack refused chat.postMessage: the channel is archived (is_archived)."
    dead = [
        OutboxMessage(MessageKey("incident:i-1"), "C1", error=gone),
        OutboxMessage(MessageKey("digest:2026-11-22"), "C1", error=gone),
        OutboxMessage(MessageKey("bridge:o/r#1"), "", error="HTTP 401"),
    ]
    reply = await look(world, Book(undelivered=dead))
    [lines] = [plain(line) for line in reply.body if plain(line).startswith("Not delivered:")]
    assert lines.split("\n")[1:] == [
        f"⚠️ The alert i-1 and 1 more, for channel C1: {gone}",
        "⚠️ The state of o/r#1 for the health-bridge: HTTP 401",
    ]


def home(*rules: AccessRule) -> dict[str, Any]:
    return {"access": AccessPolicy(rules=rules), "caller": Caller(member("U1", "U1"), "home")}


async def test_who_may_look_in_a_channel_alone_has_no_buttons_at_home_and_is_told_where_to_type(
    world: World,
) -> None:
    reply = await look(world, **home(AccessRule(role=roles.OPERATOR, users=("U1",), channels=("C7",))))
    assert not [b for part in (reply, *reply.cards) for b in part.buttons]
    assert reply.body[-1] == ("You may run commands in ", Mention("C7"), ": type them there.")


async def test_who_may_everywhere_is_told_nothing_of_channels(world: World) -> None:
    reply = await look(world, **home(AccessRule(role=roles.VIEWER, users=("U1",))))
    assert [b.command for b in reply.buttons] == ["status", "digest"]
    assert all(isinstance(line, str) for line in reply.body)


async def test_checks_of_the_runbook_are_shown_as_those_of_the_bot(world: World) -> None:
    text = """\
runbook: mine
checks:
  queue:
    title: Queue
    exec: {command: [queue-length]}
    expect: int(lines[0]) < 10
    fails: {says: "lines[0] + ' jobs wait'"}
    status: true
"""
    mine, problems = compile_runbook(read(text, "mine.yaml"), CelExpressions())
    assert not problems
    world.cluster.programs["queue-length"] = ExecResult("12\n", "", 0)
    for line in ("dashboard", ""):
        reply = await world.run(line, lambda ctx: replace(ctx, book=mine))
        assert (reply.verdict, reply.headline) == (Verdict.FAIL, "Not healthy: 12 jobs wait")
