"""What a caller sees whose roles are for one of two targets: lists leave the other out, and say so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import ApprovalPolicy, Request, Snapshot
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.reply import Mention, Reply, plain
from bot.domain.core.target import Target
from bot.domain.incidents.alerting import Incident
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.errors import AccessDenied
from bot.runbook.context import Caller, Context, Sees
from bot.runbook.grammar import parse
from commands.registry import BUILTIN
from tests.commands.fakes import NOW, FakeCluster, World, text_of, undelivered
from tests.commands.test_incidents import Book as Incidents
from tests.commands.test_incidents import incident
from tests.people import member

HERE, BLUE = "secure-agent-pod", "blue"
BLUE_ONLY = AccessPolicy(
    rules=(
        AccessRule(role=roles.APPROVER, users=("U1",), targets=(BLUE,), name="leads-b"),
        AccessRule(role=roles.VIEWER, users=("U2",)),
    ),
    contact="the owner",
)


def _of(incident: Incident, target: str) -> Incident:
    return replace(incident, id=f"i-{target}", problem=replace(incident.problem, target=target))


def _request(target: str) -> RepairRequest:
    return RepairRequest(
        Request(f"r-{target}", "U8", NOW, NOW.replace(hour=13), Snapshot("uid", 1)), target, RESTART, channel="C1"
    )


@dataclass
class Book(Incidents):
    """A ledger with an incident and a request of each target."""

    kept: list[Incident] = field(
        default_factory=lambda: [_of(incident("alpha"), HERE), _of(incident("alpha"), BLUE)]
    )

    elsewhere: int = 1
    """How many requests there are of the other target; they are newer."""

    async def requests(
        self, targets: Collection[str] | None = None, limit: int | None = 100, **_: Any
    ) -> Sequence[RepairRequest]:
        every = [*[_request(HERE)] * self.elsewhere, _request(BLUE)]
        return [one for one in every if targets is None or one.target in targets][:limit]

    async def mark(self, name: str) -> str | None:
        return None

    async def job_states(self) -> dict[str, Any]:
        return {}

    async def dead(self, since: datetime, limit: int = 0) -> Sequence[OutboxMessage]:
        return [OutboxMessage(MessageKey("incident:i-1"), "C1", error="There is no channel C1.")]


async def _say(
    world: World,
    line: str,
    user: str = "U1",
    target: str = HERE,
    surface: str = "slash",
    kept: list[Incident] | None = None,
    elsewhere: int = 1,
) -> Reply:
    book, ctx = replace(Book(), elsewhere=elsewhere) if kept is None else Book(kept), world.context()
    cluster = FakeCluster()
    caller = Caller(member(user, "C1" if surface == "slash" else user), cast("Any", surface))
    changes: dict[str, Any] = {
        "ledger": book,
        "alerts": book,
        "undelivered": undelivered(book),
        "access": BLUE_ONLY,
        "caller": caller,
        "targets": (HERE, BLUE),
        "several": True,
        "repairs": SimpleNamespace(policy=ApprovalPolicy()),
    }
    here = replace(ctx, **changes)
    blue = replace(ctx, **changes, target=Target(name=BLUE, heartbeats=()), cluster=cluster)
    invocation = parse(line, BUILTIN)
    chosen = replace(here, others=(blue,)) if target == HERE else blue
    return await invocation.command.run(chosen, invocation.params)


NOT_SHOWN = f"Not shown: {HERE}, for which you have no role here."


@pytest.mark.parametrize("line", ["incidents", "approvals", "dashboard"])
async def test_lists_leave_the_other_target_out_and_say_so(world: World, line: str) -> None:
    reply = await _say(world, line)
    said = text_of(replace(reply, body=tuple(str(one) for one in reply.body)))
    assert NOT_SHOWN in said
    assert f"i-{HERE}" not in said
    assert f"r-{HERE}" not in said
    assert BLUE in said
    whole = await _say(world, line, "U2")
    assert NOT_SHOWN not in str(whole.body)
    shown = text_of(replace(whole, body=tuple(str(one) for one in whole.body)))
    assert HERE in shown
    assert BLUE in shown


@pytest.mark.parametrize(("line", "key"), [("approvals", "open"), ("dashboard", "waiting")])
async def test_many_requests_elsewhere_hide_none_of_what_the_caller_may_see(
    world: World, line: str, key: str
) -> None:
    reply = await _say(world, line, elsewhere=250)
    assert reply.data[key] == ["r-blue"]
    assert "approve r-blue" in [b.command for card in reply.cards for b in card.buttons]


async def test_requests_beyond_the_most_that_have_a_card_are_named(world: World) -> None:
    reply = await _say(world, "approvals", "U2", elsewhere=11)
    *_, last = reply.cards
    assert len(reply.cards) == 11
    assert [plain(line) for line in last.lines] == [
        "… and 2 more requests: r-secure-agent-pod and r-blue",
        "`/agentpod approvals ID` shows one.",
    ]


async def test_lists_name_what_is_acted_on_of_one_s_own_target_only(world: World) -> None:
    reply = await _say(world, "incidents")
    assert [b.command for b in reply.buttons] == ["ack i-blue"]
    listed = [b.command for card in (await _say(world, "approvals")).cards for b in card.buttons]
    assert listed == ["approve r-blue", "deny r-blue", "approvals r-blue"]
    dashboard = await _say(world, "dashboard")
    buttons = [b.command for part in (dashboard, *dashboard.cards) for b in part.buttons]
    assert buttons[0] == 'status --target "blue"'
    assert [b for b in buttons if "r-" in b or "i-" in b] == [
        "ack i-blue",
        "incidents i-blue",
        "approve r-blue",
        "deny r-blue",
        "approvals r-blue",
    ]
    reply = await _say(world, "dashboard")
    assert reply.headline.startswith("Healthy")
    assert reply.notes[-1].startswith("blue · ")
    assert [b.command for b in (await _say(world, "incidents", "U2")).buttons] == []


async def test_nothing_wrong_is_said_of_what_is_seen(world: World) -> None:
    assert (await _say(world, "incidents", kept=[])).headline == "Nothing is wrong in blue now"
    assert (await _say(world, "incidents", "U2", kept=[])).headline == "Nothing is wrong now"


async def test_home_shows_the_targets_that_a_rule_names_its_user_for(world: World) -> None:
    reply = await _say(world, "dashboard", surface="home")
    assert NOT_SHOWN in reply.body
    assert reply.data["waiting"] == ["r-blue"]
    assert reply.data["incidents"] == ["i-blue"]


@pytest.mark.parametrize("line", ["incidents", "dashboard"])
async def test_what_is_not_delivered_is_shown_to_those_who_see_all_targets(world: World, line: str) -> None:
    for user, shown in (("U1", False), ("U2", True)):
        reply = await _say(world, line, user)
        texts = [*map(plain, reply.body), *(f"{f.label}: {plain(f.value)}" for f in reply.facts)]
        assert any("Not delivered" in one for one in texts) is shown


async def test_whoami_and_help_name_the_targets_and_what_may_be_run_there(world: World) -> None:
    reply = await _say(world, "whoami")
    assert reply.headline == "You are an approver for blue (rule: leads-b)"
    may = cast("list[str]", reply.data["may_run"])
    assert {"restart", "approve", "incidents", "logs"} <= set(may)
    assert not {"audit", "audit export", "digest"} & set(may)
    assert (await _say(world, "help")).data["commands"] == may
    with pytest.raises(
        AccessDenied, match="needs the role operator for secure-agent-pod, and you are an approver"
    ):
        await _say(world, "help audit")


async def test_can_i_says_who_decides_on_requests(world: World) -> None:
    reply = await _say(world, "can-i approve", "U2", target=BLUE)
    assert reply.body == ((Mention("U1"), " can approve requests."), "Ask the owner for the role approver.")


async def test_can_i_is_about_the_target(world: World) -> None:
    reply = await _say(world, "can-i logs")
    assert reply.headline == (
        "No: it needs the role operator for secure-agent-pod, and you are an approver for blue (rule: leads-b)"
    )
    assert reply.body == ('You may with --target "blue".', "Ask the owner for the role operator.")
    assert (
        await _say(world, "can-i logs", target=BLUE)
    ).headline == "Yes: you are an approver for blue (rule: leads-b)"
    assert (await _say(world, "can-i approve")).headline == "Yes: you are an approver for blue (rule: leads-b)"
    refused = await _say(world, "can-i audit")
    assert refused.headline.startswith(
        "No: it needs the role operator for secure-agent-pod, and you are an approver"
    )
    assert refused.body == ("Ask the owner for the role operator or auditor.",)


class _Follows:
    """A follow of each target."""

    def __init__(self) -> None:
        self.stopped: list[tuple[str | None, bool]] = []

    def target_of(self, id_: str | None) -> str | None:
        return {"f-here": HERE, "f-blue": BLUE}.get(id_ or "")

    def is_of(self, user: str, id_: str | None) -> bool:
        return False

    async def stop(self, id_: str | None, caller: Caller, sees: Sees, *, own: bool = False) -> Reply:
        self.stopped.append((id_, own))
        return Reply("Stopped.")


async def test_a_log_of_another_target_is_not_stopped(world: World) -> None:
    follows = _Follows()

    def with_follows(ctx: Context) -> Context:
        return replace(ctx, access=BLUE_ONLY, targets=(HERE, BLUE), follows=cast("Any", follows))

    await world.run("logs stop f-blue", with_follows)
    with pytest.raises(AccessDenied, match="You may not stop it: it needs the role operator for secure-agent-pod"):
        await world.run("logs stop f-here", with_follows)
    await world.run("logs stop f-away", with_follows)  # another replica's: it stops only what is one's own
    assert follows.stopped == [("f-blue", False), ("f-away", True)]
