"""A command needs the right to each target that it concerns: by its flag, its id, or all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import Request, Snapshot
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.reply import Reply
from bot.domain.incidents import alerting
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.problem import Problem
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.domain.rbac.roles import Capability
from bot.errors import Transient, UsageError
from bot.runbook.command import Command, Concerns, NoParams
from bot.runbook.context import Caller, Context
from bot.runbook.dispatch import Dispatcher
from commands.registry import BUILTIN
from tests.commands.test_incidents import RULES
from tests.core.test_dispatch import Counted, IdParams, _quiet
from tests.people import member

NOW = datetime(2026, 3, 1, tzinfo=UTC)
POLICY = AccessPolicy(
    rules=(
        AccessRule(role=roles.VIEWER, users=("U1",), targets=("beta",), name="view-b"),
        AccessRule(role=roles.APPROVER, users=("U1",), targets=("beta",), name="leads-b"),
        AccessRule(role=roles.APPROVER, users=("U2",), name="leads"),
        AccessRule(role=roles.APPROVER, users=("U3",), targets=("alpha",), channels=("C1",)),
        AccessRule(role=roles.VIEWER, users=("U3",), targets=("beta",)),
    ),
    contact="Priya",
)
NAMES = ("alpha", "beta")
REFUSED = "it needs the role approver for alpha, and you are an approver for beta (rule: leads-b)"


async def _good(_: Context, __: NoParams) -> Reply:
    return Reply("fine")


def _context(target: str | None, caller: Caller, request_id: str, progress: object) -> Context:
    if target not in (None, *NAMES):
        raise UsageError("There is no target of that name.")
    return cast("Context", None)


COMMANDS = (
    *(
        Command(one.value, one.value, Capability.DECIDE, cast("Any", _good), concerns=one)
        for one in list(Concerns)[:4]
    ),
    *(
        Command(one.value, one.value, Capability.DECIDE, cast("Any", _good), IdParams, concerns=one)
        for one in list(Concerns)[4:]
    ),
)


def _request(id_: str, target: str) -> RepairRequest:
    return RepairRequest(Request(id_, "U8", NOW, NOW, Snapshot("uid", 1)), target, RESTART, channel="C9")


REQUESTS = {"r-7k2m9xwa": "alpha", "r-7k2m9xwb": "beta"}
INCIDENTS = {
    "i-a": Problem("heartbeat:alpha:j", "heartbeat", "alpha", "j", "stale", "warning", NOW),
    "i-b": Problem("heartbeat:beta:j", "heartbeat", "beta", "j", "stale", "warning", NOW),
    "i-all": Problem("source:pushgateway", "blind", "alpha", "it", "is away", "warning", NOW),
}


class Books:
    """A ledger with requests and incidents of both targets."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.read: list[str] = []
        self.refused: list[tuple[str, str, str]] = []

    async def find(self, id_: str) -> RepairRequest | None:
        self._note(id_)
        return _request(id_, REQUESTS[id_]) if id_ in REQUESTS else None

    async def find_incident(self, id_: str) -> Incident | None:
        self._note(id_)
        return alerting.decide(None, INCIDENTS[id_], RULES, NOW) if id_ in INCIDENTS else None

    def _note(self, id_: str) -> None:
        self.read.append(id_)
        if self.error is not None:
            raise self.error

    async def record(self, who: str, what: str, rule: str) -> None:
        self.refused.append((who, what, rule))


async def _run(line: str, user: str = "U1", place: str = "C1", books: Books | None = None) -> tuple[Reply, Books]:
    kept = books or Books()
    dispatcher = Dispatcher(
        COMMANDS,
        POLICY,
        _context,
        Counted(),
        recorder=kept.record,
        find=kept.find,
        find_incident=kept.find_incident,
        targets=NAMES,
    )
    caller = Caller(member(user, place), "button")
    return await dispatcher.run(line, caller, request_id="1", progress=_quiet), kept


@pytest.mark.parametrize(
    ("line", "may"),
    [
        ("target", False),
        ("target --target alpha", False),
        ("target --target beta", True),
        ("seen", True),
        ("seen --target beta", True),
        ("seen --target alpha", False),
        ("all", False),
        ("all --target beta", False),
        ("nothing", True),
        ("nothing --target alpha", True),
        ("request r-7k2m9xwb", True),
        ("request r-7k2m9xwa", False),
        ("request r-7k2m9xwa --target beta", False),
        ("incident i-b", True),
        ("incident i-a", False),
        ("incident i-a --target beta", False),
        ("incident i-all", False),
    ],
)
async def test_the_right_is_needed_for_what_it_concerns(line: str, may: bool) -> None:
    reply, _ = await _run(line)
    assert (reply.headline == "fine") is may, reply.headline
    assert (await _run(line, "U2"))[0].headline == "fine"
    assert (await _run(line, "U9"))[0].headline.startswith("You may not run")


async def test_the_refusal_names_target_rule_and_way_out_and_is_recorded() -> None:
    reply, kept = await _run("target")
    assert reply.headline == f"You may not run target: {REFUSED}."
    assert reply.body == (
        'You may with --target "beta". Ask Priya for access, and send what /agentpod whoami shows.',
    )
    assert kept.refused == [("U1", "target", REFUSED)]


async def test_a_click_on_another_target_s_card_is_refused_and_recorded() -> None:
    reply, kept = await _run("request r-7k2m9xwa")
    assert reply.headline == f"You may not run request: {REFUSED}."
    assert reply.body == ("Ask Priya for access, and send what /agentpod whoami shows.",)
    assert kept.refused == [("U1", "r-7k2m9xwa", f"request: {REFUSED}")]


@pytest.mark.parametrize("line", ["request r-7k2m9xwb", "incident i-b"])
async def test_what_it_concerns_is_read_only_if_that_matters(line: str) -> None:
    assert (await _run(line, "U1"))[1].read == [line.split()[1]]
    assert (await _run(line, "U2"))[1].read == []
    assert (await _run(line, "U9"))[1].read == []


@pytest.mark.parametrize("line", ["request r-7k2m9xwb", "incident i-b"])
async def test_where_it_cannot_be_read_nothing_is_run(line: str) -> None:
    reply, kept = await _run(line, books=Books(Transient("The ledger can't be reached.")))
    assert reply.headline == "It can't be read which target this is about, so it isn't known whether you may."
    assert kept.refused == []


@pytest.mark.parametrize("line", ["request r-22222222", "incident i-none", "request nonsense"])
async def test_an_unknown_id_is_left_to_the_command(line: str) -> None:
    assert (await _run(line))[0].headline == "fine"


async def test_an_unknown_target_is_refused_as_such() -> None:
    reply, kept = await _run("target --target gamma")
    assert (reply.headline, kept.refused) == ("There is no target of that name.", [])


async def test_another_channel_is_named_only_where_it_helps_for_this_target() -> None:
    there = ("You may run it in ", "C1")
    refused, _ = await _run("target --target alpha", "U3", "D1")
    assert there in [(part[0], part[1].id) for part in refused.body if isinstance(part, tuple)]  # type: ignore[union-attr]
    refused, _ = await _run("target --target beta", "U3", "D1")
    assert not [part for part in refused.body if isinstance(part, tuple)]


def test_each_command_with_an_id_says_what_it_is_the_id_of() -> None:
    """Otherwise its target would be taken for the default one."""
    with_id = {c.name: c.concerns for c in BUILTIN if "id" in c.params.model_fields}
    assert with_id.pop("logs stop") is Concerns.SEEN  # a log's, which it looks up itself
    incidents = {"incidents", "ack", "snooze", "report", "report logs"}
    assert with_id == {n: Concerns.INCIDENT if n in incidents else Concerns.REQUEST for n in with_id}
    assert {"approve", "deny", "withdraw", "break-glass", "approvals", "secrets enter", *incidents} == set(with_id)


def test_what_shows_all_targets_at_once_needs_all() -> None:
    needing = {c.name for c in BUILTIN if c.concerns is Concerns.ALL}
    assert needing == {"digest", "audit", "audit export", "audit verify"}
    narrowing = {c.name for c in BUILTIN if c.concerns is Concerns.SEEN}
    assert narrowing == {"dashboard", "logs stop"}
    assert {c.name for c in BUILTIN if c.concerns is Concerns.NOTHING} == {"can-i", "preferences", "version"}
