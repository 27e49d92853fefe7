"""Who may decide on a request: the access rule admits a user, then the approval service judges."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.domain.approvals import card
from bot.domain.approvals.actions.cron_undo import CRON_UNDO
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState
from bot.domain.approvals.repair import Proposal, TargetState
from bot.domain.core import words
from bot.domain.core.reply import Mention, Reply
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule, Identity, decide
from bot.domain.rbac.roles import Role
from bot.runbook.context import Caller, Context
from commands.repair.decide import APPROVE, BREAK_GLASS
from tests.commands.fakes import World
from tests.people import member
from tests.services.workbench import ACCESS, JONAS, MAYA, ONCALL, OPS, PRIYA, SAM, TARGET, Bench, bench, opened


@pytest.mark.parametrize(("role", "may"), [(roles.VIEWER, True), (roles.NONE, False)])
def test_the_access_rule_of_break_glass_admits_a_viewer(role: Role, may: bool) -> None:
    rules = () if role is roles.NONE else (AccessRule(role=role, users=("U9",)),)
    policy = AccessPolicy(rules=rules)
    assert decide(policy, member("U9", "C1"), BREAK_GLASS.needs, ()).allowed is may
    assert not decide(policy, member("U9", "C1"), APPROVE.needs, ()).allowed


async def test_can_i_says_the_same_to_a_viewer() -> None:
    reply = await World(role=roles.VIEWER).run("can-i break-glass")
    assert reply.data["allowed"] is True


def _at(one: Bench, user: str) -> Callable[[Context], Context]:
    """The context of a user in the operations channel, with the bench's approval service."""
    return lambda ctx: replace(ctx, repairs=one.approval_service, ledger=one.ledger, caller=one.caller(user))


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        yield bench(ledger, policy=ApprovalPolicy(break_glass=(PRIYA,)))


async def _refusals(one: Bench) -> list[tuple[str, object]]:
    return [(r.actor, r.data["rule"]) for r in await one.trail() if r.kind == "refusal"]


@pytest.mark.parametrize("surface", ["button", "command"])
async def test_an_approval_that_voids_a_request_says_why_in_its_first_line(one: Bench, surface: Any) -> None:
    repair = await one.ask()
    one.cluster.change(images={"kali": "image:2"})

    def asked(ctx: Context) -> Context:
        return replace(_at(one, PRIYA)(ctx), caller=replace(one.caller(PRIYA), surface=surface))

    reply = await World().run(f"approve {repair.id}", asked)
    assert reply.headline.startswith(f"🚫 Restart of {repair.target} is void: the image of kali was changed")
    assert reply.headline == card.headline(await one.now(repair))
    assert reply.body == ("Nothing was changed, since it is no longer what you approved.",)


@pytest.mark.parametrize("line", ["approve {}", 'deny {} --reason "not now"', "break-glass {} --reason now"])
async def test_an_accepted_decision_names_the_action_and_its_target(one: Bench, line: str) -> None:
    repair = await one.ask()
    reply = await World().run(line.format(repair.id), _at(one, PRIYA))
    assert f"Restart of {repair.target}: " in reply.headline


async def test_a_request_from_a_shell_is_withdrawn_there_and_slack_says_so(one: Bench) -> None:
    shell = replace(one.caller(MAYA), surface="terminal")
    look = TargetState(one.cluster.deployment_, tuple(one.cluster.pods_))
    proposal = Proposal(RESTART, look.snapshot, "why", "It will be down.")
    repair = (await one.approval_service.ask(proposal, TARGET.name, shell)).repair
    reply = await World().run(f"withdraw {repair.id}", _at(one, MAYA))
    assert reply.body == (
        f"Somebody in a shell (as {MAYA}) asked for it, and can withdraw it there: "
        f"`agentpod withdraw {repair.id}`. An approver can deny it; else it expires at "
        f"{words.clock(repair.request.expires_at)}.",
    )
    root = replace(shell, identity=member("root", "terminal"))
    other = await World().run(f"withdraw {repair.id}", lambda ctx: replace(_at(one, MAYA)(ctx), caller=root))
    assert (other.headline, other.exit_code) == ("Only the requester can withdraw this", 2)
    done = await World().run("withdraw", lambda ctx: replace(_at(one, MAYA)(ctx), caller=shell))
    assert (done.headline, done.exit_code) == (f"↩️ Restart of {repair.target}: withdrawn", 0)


@pytest.mark.parametrize(
    ("line", "user", "says"),
    [
        ("deny {} --reason x", SAM, (" can deny this.",)),
        ("approve {}", SAM, (" can approve this.",)),
        ("break-glass {} --reason x", JONAS, (" can break glass.", " can approve this.")),
        ("withdraw {}", PRIYA, (" can withdraw this.",)),
    ],
)
async def test_a_refused_decision_says_who_can_make_it(
    one: Bench, line: str, user: str, says: tuple[str, ...]
) -> None:
    repair = await one.ask()
    at = _at(one, user)
    reply = await World().run(line.format(repair.id), lambda ctx: replace(at(ctx), access=ACCESS))
    assert tuple(said[-1] for said in reply.body) == says


@pytest.mark.parametrize("line", ["deny", "break-glass"])
async def test_a_form_asks_for_a_missing_reason(one: Bench, line: str) -> None:
    repair = await one.ask()
    reply = await World().run(f"{line} {repair.id}", _at(one, PRIYA))
    assert reply.form is not None
    assert reply.form.note.startswith(f"Restart of {repair.target}")
    assert ("by your decision alone" in reply.form.note) is (line == "break-glass"), "no other dialog says it"
    assert await _refusals(one) == []


@pytest.mark.parametrize(
    ("line", "end", "first", "rule"),
    [
        ("deny", Choice.WITHDRAW, "was already withdrawn", "not-open"),
        ("break-glass", Choice.WITHDRAW, "was already withdrawn", "not-open"),
        ("deny", None, "has expired", "expired"),
        ("approve", Choice.WITHDRAW, "was already withdrawn", "not-open"),
    ],
)
async def test_a_late_decision_is_answered_with_the_request_s_state_and_decider(
    one: Bench, line: str, end: Choice | None, first: str, rule: str
) -> None:
    repair = await one.ask()
    if end is None:
        one.clock.pass_(minutes=31)
    else:
        await one.say(repair, end, MAYA)
    reply = await World().run(f"{line} {repair.id}", _at(one, PRIYA))
    assert reply.form is None
    assert (reply.headline, reply.notes) == (f"Too late: Restart of {repair.target} {first}", (repair.id,))
    assert [line[:2] for line in reply.body] == ([("Withdrawn by ", Mention(MAYA))] if end else [])
    assert await _refusals(one) == [(PRIYA, rule)]


async def test_a_user_not_on_the_list_is_refused_before_the_reason_form(one: Bench) -> None:
    repair = await one.ask()
    reply = await World().run(f"break-glass {repair.id}", _at(one, JONAS))
    assert (reply.form, reply.headline) == (
        None,
        "You are not on the break-glass list, so you can't skip the approval",
    )
    assert await _refusals(one) == [(JONAS, "no-break-glass")]


@pytest.mark.parametrize("rule", ["named", "everybody"])
async def test_buttons_in_a_direct_message_follow_the_role_in_the_request_s_channel(one: Bench, rule: str) -> None:
    repair = await one.ask()
    bound = AccessRule(role=roles.APPROVER, channels=(OPS,), users=(JONAS,) if rule == "named" else ())
    access = AccessPolicy(rules=(AccessRule(role=roles.VIEWER, users=("*",)), bound))

    def in_private(ctx: Context) -> Context:
        caller = Caller(member(JONAS, "D1"), "dm")
        return replace(ctx, repairs=one.approval_service, ledger=one.ledger, caller=caller, access=access)

    for line in ("approvals", f"approvals {repair.id}", "dashboard"):
        reply = await World().run(line, in_private)
        offered = {b.command for part in (reply, *reply.cards) for b in part.buttons}
        assert (f"approve {repair.id}" in offered) is (rule == "named"), line


async def test_approval_is_offered_only_to_users_whose_approval_counts(
    one: Bench,
) -> None:
    def at(user: str) -> Callable[[Context], Context]:
        return lambda ctx: replace(_at(one, user)(ctx), access=ACCESS)

    line = "restart --reason x"
    assert "asked" in (await World().run(line, at(JONAS))).headline
    for user, may in ((MAYA, False), (JONAS, False), (PRIYA, True)):
        [listed] = (await World().run("approvals", at(user))).cards
        shown = ("Approve", "Deny") if may else ("Withdraw",) if user == JONAS else ()
        assert [b.label for b in listed.buttons] == [*shown, "Details"], user
    for user, approver in ((MAYA, False), (JONAS, True), (PRIYA, True)):
        again = await World().run(line, at(user))
        assert "already asked for" in again.headline
        assert again.buttons == (), user
        assert ("has to decide" in str(again.body)) is approver
        [listed] = (await World().run("approvals", at(user))).cards
        assert [b.label for b in listed.buttons] == [*(["Withdraw"] if user == JONAS else []), "Details"], user


async def test_an_excluded_approver_is_told_who_could_approve(one: Bench) -> None:
    def at(user: str, *approvers: str) -> Callable[[Context], Context]:
        access = AccessPolicy(rules=(AccessRule(role=roles.APPROVER, users=approvers),))
        one.approval_service.access = access
        return lambda ctx: replace(_at(one, user)(ctx), access=access)

    await World().run("restart --reason x", at(JONAS, JONAS, PRIYA))
    (repair,) = await one.ledger.requests(limit=2)
    refused = await World().run(f"approve {repair.id}", at(JONAS, JONAS, PRIYA))
    assert refused.body[-1] == ("It needs the approval of ", Mention(PRIYA), ".")
    again = await World().run("restart --reason x", at(PRIYA, JONAS, PRIYA))
    assert (
        again.body[-1] == "You did not join it, since then nobody could approve it. You can approve it yourself."
    )
    assert f"approve {repair.id}" in {button.command for button in again.buttons}
    stuck = await World().run(f"approve {repair.id}", at(JONAS, JONAS))
    assert "It can't be approved: nobody is left" in str(stuck.body[-1])
    assert "It can't be approved: nobody is left" in str(
        (await World().run("restart --reason x", at(JONAS, JONAS))).body
    )


async def test_a_user_just_added_to_the_list_gets_the_reason_form(one: Bench) -> None:
    """Their groups were read minutes ago: the approval service looks again."""

    async def again(identity: Identity) -> Identity:
        return replace(identity, groups=frozenset({ONCALL}))

    one.approval_service.policy = ApprovalPolicy(break_glass=(ONCALL,))
    one.approval_service.freshen = again
    repair = await one.ask()
    assert (await World().run(f"break-glass {repair.id}", _at(one, JONAS))).form is not None


async def test_a_decision_names_what_was_decided_and_keeps_the_id_in_the_small_print(one: Bench) -> None:
    repair = await one.ask()
    done = await World().run(f"approve {repair.id}", _at(one, PRIYA))
    assert (done.headline, done.notes) == (
        f"✅ Restart of {repair.target}: approved, carried out now",
        (repair.id,),
    )


async def test_withdraw_needs_no_id_where_one_request_of_the_caller_is_open(one: Bench) -> None:
    async def withdraw(user: str) -> Reply:
        return await World().run("withdraw", _at(one, user))

    assert (await withdraw(MAYA)).headline == "No request of yours is open"
    repair = await one.ask()
    assert (await withdraw(PRIYA)).headline == "No request of yours is open", "it is Maya's"
    assert (await withdraw(MAYA)).headline == f"↩️ Restart of {repair.target}: withdrawn"


async def test_withdraw_offers_a_choice_of_several_requests(one: Bench) -> None:
    first = await one.ask()
    proposal = Proposal(CRON_UNDO, first.request.snapshot, "why", "The version before.")
    second = (await one.approval_service.ask(proposal, first.target, one.caller(MAYA))).repair
    reply = await World().run("withdraw", _at(one, MAYA))
    assert reply.headline == "Which one? 2 requests of yours are open"
    ids = {button.command for button in reply.buttons}
    assert ids == {f"withdraw {first.id}", f"withdraw {second.id}", "approvals"}
    assert {r.state for r in await one.ledger.requests(limit=5)} == {RequestState.OPEN}


async def test_a_request_shown_in_full_is_withdrawn_only_by_whoever_asked(one: Bench) -> None:
    repair = await one.ask()
    for user, offered in ((MAYA, True), (PRIYA, False)):
        at = _at(one, user)
        shown = await World().run(f"approvals {repair.id}", lambda ctx, at=at: replace(at(ctx), access=ACCESS))  # type: ignore[misc]
        assert ("Withdraw" in [button.label for button in shown.buttons]) is offered, user
