"""From a command line to a reply: authorised, counted, and every failure is answered."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import Field

from bot import logs
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import Choice, Decision, Request, RequestState, Snapshot
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Form, Mention, Reply
from bot.domain.core.target import Target
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.domain.rbac.roles import Capability
from bot.errors import AgentpodError, Denied, NotFound, Refused, SwitchedOff, Transient, Unfit, UsageError
from bot.runbook.command import Command, NoParams, Params
from bot.runbook.context import Caller, Context
from bot.runbook.dispatch import QUOTED, Dispatcher
from tests.people import member

NOW = datetime(2026, 3, 1, tzinfo=UTC)
POLICY = AccessPolicy(rules=(AccessRule(role=roles.VIEWER, users=("U1",)),), contact="Priya")


class Counted:
    """Records the metrics."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []

    def command_done(self, command: str, outcome: str, seconds: float) -> None:
        self.done.append((command, outcome))


async def _good(_: Context, __: NoParams) -> Reply:
    return Reply("fine", Verdict.OK)


async def _crash(_: Context, __: NoParams) -> Reply:
    raise KeyError("token xoxb-123456-secret")


async def _later(_: Context, __: NoParams) -> Reply:
    raise Transient("The server is busy.", remedy="Try again.")


async def _quiet(_: Reply) -> None:
    """A progress callback that does nothing."""


def _context(target: str | None, caller: Caller, request_id: str, progress: object) -> Context:
    if target is not None:
        raise UsageError(f"There is no target {target!r}.")
    return cast("Context", None)


COMMANDS = tuple(
    Command(name, name, role, cast("Any", run))
    for name, role, run in [
        ("good", Capability.VIEW, _good),
        ("crash", Capability.VIEW, _crash),
        ("later", Capability.VIEW, _later),
        ("open", Capability.HELP, _good),
        ("secret", Capability.REQUEST, _good),
    ]
)


async def _run(line: str, user: str = "U1", surface: str = "slash") -> tuple[Reply, Counted]:
    counted = Counted()
    dispatcher = Dispatcher(COMMANDS, POLICY, _context, counted)
    caller = Caller(member(user, "C1"), cast("Any", surface))
    return await dispatcher.run(line, caller, request_id="r-1", progress=_quiet), counted


@pytest.mark.parametrize(
    ("line", "user", "outcome", "says"),
    [
        ("good", "U1", "ok", "fine"),
        ("good", "U2", "refused", "You may not run good: it needs the role viewer, and no access rule names you"),
        ("secret", "U1", "refused", "you are a viewer (access rule 1)"),
        ("open", "U2", "ok", "fine"),
        ("later", "U1", "error", "The server is busy."),
        ("godo", "U1", "usage", "Did you mean 'good'?"),
        ("good --target x", "U1", "usage", "There is no target 'x'."),
        ("crash", "U1", "crash", "Something went wrong inside agentpod"),
    ],
)
async def test_each_outcome_is_answered_and_counted(line: str, user: str, outcome: str, says: str) -> None:
    reply, counted = await _run(line, user)
    assert says in reply.headline
    assert [o for _, o in counted.done] == [outcome]


async def test_a_refusal_names_whom_to_ask_and_is_not_for_sharing() -> None:
    reply, _ = await _run("good", "U2")
    assert "Ask Priya for access, and send what " in reply.body[0]
    assert not reply.shareable


async def test_a_crash_gives_its_request_id_and_keeps_its_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, "agentpod.commands"):
        reply, _ = await _run("crash")
    assert "r-1" in reply.body[0]
    assert reply.verdict is Verdict.UNKNOWN
    assert "secret" not in repr(reply)
    [record] = caplog.records
    token = logs.request_id_var.set("r-1")
    try:
        line = logs.ConsoleFormatter(logs.Redactor([])).format(record)
    finally:
        logs.request_id_var.reset(token)
    assert "request_id=r-1" in line
    assert "xoxb-123456-secret" not in line


async def test_a_refused_command_is_not_offered_to_run_again() -> None:
    assert (await _run("good"))[0].command == "good"
    refused, _ = await _run("secret")
    assert refused.headline.startswith("You may not run secret")
    assert refused.command == ""


async def test_an_address_that_ends_like_the_command_stays_whole() -> None:
    async def refuse(_: Context, __: NoParams) -> Reply:
        raise Transient(
            "It is away.", remedy="See whether https://api/as/agentpod is up; /agentpod status says it."
        )

    command = Command("good", "good", Capability.VIEW, refuse)
    reply = await Dispatcher([command], POLICY, _context, Counted(), prefix="agentpod").run(
        "good", Caller(member("U1", "C1"), "mention"), request_id="r-1", progress=_quiet
    )
    assert "https://api/as/agentpod is up; agentpod status says it." in str(reply.body)


@pytest.mark.parametrize("error", [UsageError("It has no x."), SwitchedOff("It is off."), Unfit("It is gone.")])
async def test_what_would_be_refused_again_is_not_offered_to_run_again(error: AgentpodError) -> None:
    async def refuse(_: Context, __: NoParams) -> Reply:
        raise error

    command = Command("good", "good", Capability.VIEW, refuse)
    reply = await Dispatcher([command], POLICY, _context, Counted()).run(
        "good", Caller(member("U1", "C1"), "mention"), request_id="r-1", progress=_quiet
    )
    assert (reply.headline, reply.command) == (error.message, "")


async def test_arguments_of_a_sensitive_command_are_not_shown_in_a_refusal() -> None:
    hidden = Dispatcher([replace(c, sensitive_args=True) for c in COMMANDS], POLICY, _context, Counted())
    caller = Caller(member("U1", "C1"), "mention")
    reply = await hidden.run("secret --target hunter2222", caller, request_id="r-1", progress=_quiet)
    assert "You may not run" in reply.headline
    assert "hunter" not in repr(reply)


AT = cast("Context", SimpleNamespace(target=Target(name="east")))


async def _read(line: str, error: Exception | None = None, **changes: Any) -> tuple[Reply, list[tuple[str, ...]]]:
    """Run a line with a recorder of reads, which may fail."""
    read: list[tuple[str, ...]] = []

    async def record(*said: str) -> None:
        if error is not None:
            raise error
        read.append(said)

    commands = [replace(command, audited=command.name != "open", **changes) for command in COMMANDS]
    dispatcher = Dispatcher(commands, POLICY, lambda *_: AT, Counted(), reads=record)
    caller = Caller(member("U1", "C1"), "slash")
    return await dispatcher.run(line, caller, request_id="r-1", progress=_quiet), read


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("good  --target east", [("U1", "good", "good --target east", "east")]),
        ("later", [("U1", "later", "later", "east")]),
        ("open", []),
        ("secret", []),
        ("good --nope", []),
    ],
)
async def test_a_run_of_an_audited_command_is_recorded_with_who_and_what(
    line: str, read: list[tuple[str, ...]]
) -> None:
    assert (await _read(line))[1] == read


@pytest.mark.parametrize(("audited", "shows"), [(False, True), (True, True), (True, False)])
async def test_an_answer_that_shows_a_log_is_recorded_once(*, audited: bool, shows: bool) -> None:
    async def run(_: Context, __: NoParams) -> Reply:
        return Reply("crashed", shows_log=shows)

    read: list[tuple[str, ...]] = []

    async def record(*said: str) -> None:
        read.append(said)

    one = Command("good", "good", Capability.VIEW, cast("Any", run), audited=audited)
    dispatcher = Dispatcher((one,), POLICY, lambda *_: AT, Counted(), reads=record)
    await dispatcher.run("good", Caller(member("U1", "C1"), "slash"), request_id="1", progress=_quiet)
    assert read == [("U1", "good", "good", "east")]


@pytest.mark.parametrize(("form", "how"), [(None, "ran"), (Form("Edit", "edit", ()), "opened")])
async def test_a_command_that_asks_and_only_opens_a_form_is_recorded_as_that(form: Form | None, how: str) -> None:
    async def run(_: Context, __: NoParams) -> Reply:
        return Reply("Edit", form=form)

    done: list[tuple[str, ...]] = []

    async def ran(*said: str) -> None:
        done.append(("ran", *said))

    async def opened(*said: str) -> None:
        done.append(("opened", *said))

    one = Command("edit", "edit", Capability.VIEW, cast("Any", run), audited=True, approvals=1)
    dispatcher = Dispatcher((one,), POLICY, lambda *_: AT, Counted(), reads=ran, opened=opened)
    await dispatcher.run("edit", Caller(member("U1", "C1"), "slash"), request_id="1", progress=_quiet)
    assert done == [(how, "U1", "edit", "edit", "east")]


async def test_a_command_that_asks_and_fails_is_recorded_as_run() -> None:
    async def run(_: Context, __: NoParams) -> Reply:
        raise Transient("The pod is away.")

    done: list[tuple[str, ...]] = []

    async def ran(*said: str) -> None:
        done.append(said)

    one = Command("edit", "edit", Capability.VIEW, cast("Any", run), audited=True, approvals=1)
    dispatcher = Dispatcher((one,), POLICY, lambda *_: AT, Counted(), reads=ran)
    await dispatcher.run("edit", Caller(member("U1", "C1"), "slash"), request_id="1", progress=_quiet)
    assert done == [("U1", "edit", "edit", "east")]


async def test_the_arguments_of_a_sensitive_command_are_not_recorded() -> None:
    assert (await _read("good --target east", sensitive_args=True))[1] == [("U1", "good", "good", "east")]


async def test_a_command_runs_although_its_run_can_not_be_recorded(caplog: pytest.LogCaptureFixture) -> None:
    reply, _ = await _read("good", Transient("The database is away."))
    assert reply.headline == "fine"
    assert "run not recorded in the audit trail" in caplog.text


class IdParams(Params):
    id: str = Field(json_schema_extra={"positional": True})


async def test_a_reply_with_its_own_command_line_keeps_it() -> None:
    async def about(_: Context, __: NoParams) -> Reply:
        return Reply("fine", command="good")

    one = Command("good", "good", Capability.HELP, cast("Any", about))
    dispatcher = Dispatcher((one,), POLICY, _context, Counted())
    caller = Caller(member("U1", "C1"), "slash")
    assert (await dispatcher.run("GOOD", caller, request_id="1", progress=_quiet)).command == "good"


async def test_a_refused_decision_is_audited_with_its_request() -> None:
    written: list[tuple[str, str, str]] = []

    async def record(who: str, what: str, rule: str) -> None:
        written.append((who, what, rule))

    approve = Command("approve", "approve", Capability.DECIDE, cast("Any", _good), params=IdParams)
    dispatcher = Dispatcher((approve,), POLICY, _context, Counted(), recorder=record)
    for id_ in ("r-7k2m9xwq", "hunter2222"):
        await dispatcher.run(
            f"approve {id_}", Caller(member("U1", "C1"), "button"), request_id="1", progress=_quiet
        )
    assert [(who, what) for who, what, _ in written] == [("U1", "r-7k2m9xwq"), ("U1", "approve")]
    assert written[0][2].startswith("approve: it needs the role approver")


@pytest.mark.parametrize(
    ("surface", "times"), [("home", 0), ("slash", 1), ("button", 1), ("mention", 1), ("dm", 1), ("modal", 1)]
)
async def test_every_refusal_is_audited_except_the_home_tab(surface: str, times: int) -> None:
    written: list[str] = []

    async def record(who: str, what: str, _: str) -> None:
        written.append(f"{who} {what}")

    dispatcher = Dispatcher(COMMANDS, POLICY, _context, Counted(), recorder=record)
    caller = Caller(member("U2", "U2"), cast("Any", surface))
    reply = await dispatcher.run("good", caller, request_id="1", progress=_quiet)
    assert "no access rule names you here" in reply.headline
    assert "Ask Priya for access, and send what " in str(reply.body)
    assert written == ["U2 good"] * times


def _request(state: RequestState) -> RepairRequest:
    """A decided request in the operations channel."""
    said = Decision(Choice.DENY if state is RequestState.DENIED else Choice.APPROVE, "U9", NOW)
    request = Request("r-7k2m9xwq", "U8", NOW, NOW, Snapshot("uid", 1), state=state, decisions=(said,))
    return RepairRequest(request, "pod", RESTART, channel="C9")


@pytest.mark.parametrize(
    ("line", "surface", "channel", "state", "first"),
    [
        (
            "approve r-7k2m9xwq",
            "button",
            "C1",
            RequestState.DENIED,
            "Too late: Restart of pod was already denied",
        ),
        (
            "deny r-7k2m9xwq",
            "slash",
            "C9",
            RequestState.EXECUTING,
            "Too late: Restart of pod was already approved",
        ),
        ("approve r-7k2m9xwq", "slash", "C1", RequestState.DENIED, "You may not run approve"),
        ("approve r-7k2m9xwq", "button", "C9", RequestState.OPEN, "You may not run approve"),
        ("enter r-7k2m9xwq", "button", "C9", RequestState.DENIED, "You may not run enter"),
    ],
    ids=["clicked", "typed beside the card", "typed elsewhere", "not late", "no decision"],
)
async def test_a_late_unauthorised_decision_shows_the_state_before_the_rule(
    line: str, surface: str, channel: str, state: RequestState, first: str
) -> None:
    written: list[tuple[str, str, str]] = []

    async def record(who: str, what: str, rule: str) -> None:
        written.append((who, what, rule))

    async def find(id_: str) -> RepairRequest | None:
        assert id_ == "r-7k2m9xwq"
        return _request(state)

    names = ("approve", "deny", "enter")
    commands = [Command(n, n, Capability.DECIDE, cast("Any", _good), params=IdParams) for n in names]
    dispatcher = Dispatcher(commands, POLICY, _context, Counted(), recorder=record, find=find)
    caller = Caller(member("U1", channel), cast("Any", surface))
    reply = await dispatcher.run(line, caller, request_id="1", progress=_quiet)
    assert reply.headline.startswith(first)
    said = [reply.headline, *(line for line in reply.body if isinstance(line, str))]
    assert any("it needs the role approver, and you are a viewer (access rule 1)" in one for one in said)
    assert (Mention("U9") in tuple(reply.body[0])) is first.startswith("Too late")
    assert not reply.shareable
    assert [what for _, what, _ in written] == ["r-7k2m9xwq"]


@pytest.mark.parametrize(
    ("user", "line", "may"),
    [("U1", "approve r-7k2m9xwq", True), ("U1", "approve r-22222222", False), ("U2", "approve r-7k2m9xwq", False)],
    ids=["named by the rule", "no such request", "one of everybody"],
)
async def test_channel_rights_for_a_request_also_count_in_a_direct_message(
    user: str, line: str, may: bool
) -> None:
    async def find(id_: str) -> RepairRequest | None:
        return _request(RequestState.OPEN) if id_ == "r-7k2m9xwq" else None

    rules = (
        AccessRule(role=roles.APPROVER, users=("U1",), channels=("C9",)),
        AccessRule(role=roles.APPROVER, channels=("C9",)),
    )
    approve = Command("approve", "approve", Capability.DECIDE, cast("Any", _good), params=IdParams)
    dispatcher = Dispatcher((approve,), AccessPolicy(rules=rules), _context, Counted(), find=find)
    caller = Caller(member(user, "D1"), "button")
    reply = await dispatcher.run(line, caller, request_id="1", progress=_quiet)
    elsewhere = ("You may run it in ", Mention("C9"), ": type it there.")
    assert reply.headline == "fine" if may else elsewhere in reply.body


def _perhaps(error: AgentpodError) -> AgentpodError:
    error.perhaps_asked = True
    return error


AGAIN = "Ask again in a moment."
FAILED = "The API server failed at `get pods`: no etcd."


@pytest.mark.parametrize(
    ("needs", "error", "headline", "body"),
    [
        (
            Capability.REQUEST,
            Transient(FAILED, remedy="Check it."),
            "Nothing was asked for: the API server failed at `get pods`: no etcd",
            ("Check it.", "Then ask again."),
        ),
        (
            Capability.REQUEST,
            NotFound("There is no Secret a."),
            "Nothing was asked for: there is no Secret a",
            (AGAIN,),
        ),
        (
            Capability.REQUEST,
            Transient(FAILED, remedy="Try again later."),
            "Nothing was asked for: the API server failed at `get pods`: no etcd",
            ("Try again later.",),
        ),
        (Capability.REQUEST, _perhaps(Transient("The ledger is busy.")), "The ledger is busy.", ()),
        (Capability.REQUEST, Refused("It is paused."), "It is paused.", ()),
        (Capability.VIEW, Transient(FAILED), FAILED, ()),
    ],
)
async def test_an_error_before_anything_was_asked_for_says_so(
    needs: Capability, error: AgentpodError, headline: str, body: tuple[str, ...]
) -> None:
    async def fails(*_: object) -> Reply:
        raise error

    rules = (AccessRule(role=roles.OPERATOR, users=("U1",)),)
    command = Command("mend", "mend", needs, cast("Any", fails))
    dispatcher = Dispatcher((command,), AccessPolicy(rules=rules), _context, Counted())
    reply = await dispatcher.run("mend", Caller(member("U1", "C1"), "slash"), request_id="1", progress=_quiet)
    assert (reply.headline, reply.body) == (headline, body)


@pytest.mark.parametrize(
    ("user", "channel", "state", "named"),
    [
        ("U1", "C9", RequestState.OPEN, True),  # sees the card
        ("U3", "C1", RequestState.OPEN, True),  # may ask for repairs
        ("U1", "C1", RequestState.OPEN, False),
        ("U1", "C9", RequestState.DENIED, False),
    ],
)
@pytest.mark.parametrize("line", ["approve r-7k2m9xwq", "deny r-7k2m9xwq"])
async def test_a_refused_decision_names_who_can_make_it(
    line: str, user: str, channel: str, state: RequestState, named: bool
) -> None:
    async def find(_: str) -> RepairRequest | None:
        found = _request(state)
        return replace(found, request=replace(found.request, decisions=()))

    rules = (
        AccessRule(role=roles.VIEWER, users=("U1",)),
        AccessRule(role=roles.OPERATOR, users=("U3",)),
        AccessRule(role=roles.APPROVER, users=("U5", "U8"), groups=("S1",)),  # U8 asked for it
    )
    names = ("approve", "deny")
    commands = [Command(n, n, Capability.DECIDE, cast("Any", _good), params=IdParams) for n in names]
    dispatcher = Dispatcher(commands, AccessPolicy(rules=rules, contact="Priya"), _context, Counted(), find=find)
    caller = Caller(member(user, channel), "slash")
    reply = await dispatcher.run(line, caller, request_id="1", progress=_quiet)
    who = (Mention("S1"), " or ", Mention("U5"), " can approve or deny this.")
    assert (who in reply.body) is named
    assert any("Ask Priya for access" in str(one) for one in reply.body) is not named


async def test_a_refusal_is_answered_even_without_the_ledger() -> None:
    async def find(_: str) -> RepairRequest | None:
        raise Transient("The ledger can't be reached.")

    approve = Command("approve", "approve", Capability.DECIDE, cast("Any", _good), params=IdParams)
    dispatcher = Dispatcher((approve,), POLICY, _context, Counted(), find=find)
    caller = Caller(member("U1", "C1"), "button")
    reply = await dispatcher.run("approve r-7k2m9xwq", caller, request_id="1", progress=_quiet)
    assert reply.headline.startswith("You may not run approve")


@pytest.mark.parametrize(
    ("user", "channel", "where"), [("U1", "D1", "C7"), ("U2", "D1", "C8"), ("U1", "C1", None)]
)
async def test_a_refusal_names_the_channel_in_which_it_would_be_allowed(
    user: str, channel: str, where: str | None
) -> None:
    rules = (
        AccessRule(role=roles.VIEWER, users=("U1",), channels=("C7",)),
        AccessRule(role=roles.VIEWER, channels=("C8",)),
    )
    dispatcher = Dispatcher(COMMANDS, AccessPolicy(rules=rules), _context, Counted())
    caller = Caller(member(user, channel), "button")
    reply = await dispatcher.run("good", caller, request_id="1", progress=_quiet)
    assert "You may not run good" in reply.headline
    expected = [] if where is None else [("You may run it in ", Mention(where), ": type it there.")]
    assert [line for line in reply.body if not isinstance(line, str)] == expected
    secret = await dispatcher.run("secret", caller, request_id="1", progress=_quiet)
    assert all(isinstance(line, str) for line in secret.body), "no channel gives that role"


@pytest.mark.parametrize(("user", "groups", "sees"), [("U1", (), True), ("U2", ("S1",), True), ("U2", (), False)])
async def test_home_shows_what_its_user_may_see_in_any_channel(
    user: str, groups: tuple[str, ...], sees: bool
) -> None:
    rules = (
        AccessRule(role=roles.VIEWER, users=("U1",), groups=("S1",), channels=("C7",)),
        AccessRule(role=roles.VIEWER, users=("*",), channels=("C8",)),
    )
    dispatcher = Dispatcher(COMMANDS, AccessPolicy(rules=rules), _context, Counted())
    identity = member(user, user, frozenset(groups))
    reply = await dispatcher.run("good", Caller(identity, "home"), request_id="1", progress=_quiet)
    if sees:
        assert reply.headline == "fine"
    else:
        assert reply.headline.startswith("You may not see this: it needs the role viewer")
        assert ("You may run it in ", Mention("C8"), ": type /agentpod good there.") in reply.body
    clicked = await dispatcher.run("good", Caller(identity, "button"), request_id="2", progress=_quiet)
    assert clicked.headline.startswith("You may not run good"), "a channel's role is to be used there"


async def test_a_terminal_has_the_bots_own_credentials_and_needs_no_rule() -> None:
    reply, _ = await _run("secret", "root", surface="terminal")
    assert reply.headline == "fine"


async def test_a_long_refusal_begins_with_its_cause_and_ends_with_the_other_side_s_words() -> None:
    async def denied(_: Context, __: NoParams) -> Reply:
        raise Denied(
            "The API server refused to patch it: " + "word " * 400, remedy="Ask.", short="A policy refused it"
        )

    one = Command("good", "good", Capability.HELP, cast("Any", denied))
    dispatcher = Dispatcher((one,), POLICY, _context, Counted())
    reply = await dispatcher.run("good", Caller(member("U1", "C1"), "slash"), request_id="1", progress=_quiet)
    assert reply.headline == "A policy refused it"
    said, remedy = reply.body
    assert str(said).startswith("The API server refused to patch it: word word")
    assert (len(str(said)), remedy) == (QUOTED, "Ask.")


async def test_a_refusal_does_not_say_again_what_its_first_line_says() -> None:
    async def denied(_: Context, __: NoParams) -> Reply:
        raise Denied(
            "Policy p refused it: no (patch x).", short="A policy refused it: no", rest="The policy is p."
        )

    one = Command("good", "good", Capability.HELP, cast("Any", denied))
    dispatcher = Dispatcher((one,), POLICY, _context, Counted())
    reply = await dispatcher.run("good", Caller(member("U1", "C1"), "slash"), request_id="1", progress=_quiet)
    assert (reply.headline, reply.body) == ("A policy refused it: no", ("The policy is p.",))
