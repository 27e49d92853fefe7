"""Requests and decisions, on a real ledger."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.access import Identity
from bot.domain.approval import ApprovalPolicy, Choice, Rule, State
from bot.errors import Refused, UsageError
from bot.runbook import Caller
from tests.jobs.workbench import JONAS, MAYA, ONCALL, PRIYA, SAM, Bench, bench, opened


async def kinds(one: Bench) -> list[str]:
    return [r.kind for r in await one.trail()]


async def test_an_approved_restart_is_made_once_and_everything_is_in_the_trail(one: Bench) -> None:
    case = await one.ask()
    ruling, decided = await one.say(case, Choice.APPROVE, JONAS)
    assert (ruling.rule, decided.state) == (Rule.APPROVED, State.EXECUTING)  # approved and claimed in one
    ended = await one.ended(case)
    assert ended.state is State.SUCCEEDED
    assert one.cluster.rollouts == [case.id]
    assert await kinds(one) == ["request", "decision", "execution", "execution", "outcome"]


async def test_the_same_request_delivered_twice_asks_once(one: Bench) -> None:
    first = await one.ask(origin="slash:1")
    assert (await one.ask(origin="slash:1")).id == first.id
    assert await kinds(one) == ["request"]


async def test_the_same_of_somebody_else_joins_it(one: Bench) -> None:
    first, second = await one.ask(), await one.ask(JONAS)
    assert second.id == first.id
    assert (await one.now(first)).joined == (JONAS,)
    with pytest.raises(Refused, match="waits for the same pod already"):
        await one.ask(PRIYA, force=True)
    await one.say(first, Choice.WITHDRAW, MAYA)
    assert (await one.ask()).id != first.id


async def test_n_of_m_needs_that_many_different_people(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy(needed=2))
        case = await one.ask()
        assert (await one.say(case, Choice.APPROVE, JONAS))[0].rule is Rule.COUNTED
        assert (await one.say(case, Choice.APPROVE, JONAS))[0].rule is Rule.ONE_VOTE
        assert one.cluster.sent == 0
        assert (await one.say(case, Choice.APPROVE, PRIYA))[0].rule is Rule.APPROVED
        assert (await one.ended(case)).state is State.SUCCEEDED
        await one.workshop.stop(1)


async def test_four_eyes_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        case = await one.ask(JONAS)
        assert (await one.say(case, Choice.APPROVE, JONAS))[0].rule is Rule.FOUR_EYES
        two = bench(ledger, like=one, policy=ApprovalPolicy(self_approval=True))
        assert (await two.say(case, Choice.APPROVE, JONAS))[0].rule is Rule.APPROVED
        await two.ended(case)


async def test_a_role_counts_as_it_is_at_the_click(one: Bench) -> None:
    """A user group decides; who is taken out of it between request and click does not."""
    one.groups[ONCALL] = {SAM}
    case = await one.ask()
    caller = one.caller(SAM)

    async def again(identity: Identity) -> Identity:
        return replace(identity, groups=frozenset(g for g, who in one.groups.items() if identity.user in who))

    one.desk.freshen = again
    one.groups[ONCALL] = set()
    ruling, _ = await one.desk.decide(case.id, Choice.APPROVE, caller)
    assert ruling.rule is Rule.NOT_AN_APPROVER
    assert (await one.trail())[-1].data["rule"] == "not-an-approver"
    one.groups[ONCALL] = {SAM}
    assert (await one.desk.decide(case.id, Choice.APPROVE, one.caller(SAM)))[0].rule is Rule.APPROVED
    await one.ended(case)


async def test_a_role_that_is_bound_to_a_channel_does_not_count_elsewhere(one: Bench) -> None:
    case = await one.ask()
    elsewhere = Caller(Identity(SAM, "C07RANDOM03"), "slash")
    assert (await one.desk.decide(case.id, Choice.APPROVE, elsewhere))[0].rule is Rule.NOT_AN_APPROVER


async def test_break_glass_is_recorded_and_needs_a_reason(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy(break_glass=(MAYA,)))
        case = await one.ask()
        assert (await one.say(case, Choice.BREAK_GLASS, PRIYA, "x"))[0].rule is Rule.NO_BREAK_GLASS
        assert (await one.say(case, Choice.BREAK_GLASS, MAYA))[0].rule is Rule.REASON_NEEDED
        assert (await one.say(case, Choice.BREAK_GLASS, MAYA, "on fire"))[0].rule is Rule.GLASS_BROKEN
        assert (await one.ended(case)).state is State.SUCCEEDED
        said = [r.data for r in await one.trail() if r.kind == "decision"]
        assert said == [{"choice": "break-glass", "rule": "glass-broken", "reason": "on fire"}]


async def test_only_the_requester_withdraws_and_a_denial_needs_a_reason(one: Bench) -> None:
    case = await one.ask()
    assert (await one.say(case, Choice.WITHDRAW, JONAS))[0].rule is Rule.ONLY_THE_REQUESTER
    assert (await one.say(case, Choice.DENY, JONAS))[0].rule is Rule.REASON_NEEDED
    assert (await one.say(case, Choice.DENY, JONAS, "no"))[1].state is State.DENIED
    late, _ = await one.say(case, Choice.APPROVE, PRIYA)
    assert late.rule is Rule.NOT_OPEN
    assert one.cluster.sent == 0


async def test_expiry_is_final_whatever_the_clock_does_then(one: Bench) -> None:
    case = await one.ask()
    one.clock.pass_(minutes=31)
    assert await one.desk.expire() == 1
    one.clock.pass_(minutes=-30)
    assert (await one.say(case, Choice.APPROVE, JONAS))[0].rule is Rule.EXPIRED
    assert (await one.now(case)).state is State.EXPIRED
    assert one.cluster.sent == 0


async def test_a_click_after_the_time_expires_it_before_any_look_at_the_clock(one: Bench) -> None:
    case = await one.ask()
    one.clock.pass_(minutes=30)
    assert (await one.say(case, Choice.APPROVE, JONAS))[0].rule is Rule.EXPIRED
    assert (await one.now(case)).state is State.EXPIRED
    assert await one.desk.expire() == 0


async def test_a_clock_set_back_lengthens_nothing_that_was_decided(one: Bench) -> None:
    one.clock.pass_(hours=2)
    case = await one.ask()
    one.clock.pass_(hours=-2)
    assert (await one.say(case, Choice.APPROVE, JONAS))[0].rule is Rule.APPROVED
    assert (await one.ended(case)).state in (State.SUCCEEDED, State.FAILED)
    assert len(one.cluster.rollouts) <= 1


@pytest.mark.parametrize("forged", ["", "r-", "r-00000000", "r-zzzzzzzz", "../x", "r-zzzzzzzz; drop", "🙈" * 5])
async def test_an_id_that_is_none_is_a_clear_answer(one: Bench, forged: str) -> None:
    with pytest.raises(UsageError, match="There is no request"):
        await one.desk.decide(forged, Choice.APPROVE, one.caller(JONAS))


async def test_of_two_replicas_deciding_at_once_one_carries_it_out(tmp_path: Path) -> None:
    async with opened(tmp_path, exclusive=False) as first, opened(tmp_path, exclusive=False) as second:
        one = bench(first, name="one")
        two = bench(second, name="two", like=one)
        case = await one.ask()
        clicks = ((one, JONAS), (two, PRIYA), (two, JONAS), (one, PRIYA))
        rulings = await asyncio.gather(*(b.say(case, Choice.APPROVE, who) for b, who in clicks))
        assert [r.rule for r, _ in rulings].count(Rule.APPROVED) == 1
        assert (await one.ended(case)).state is State.SUCCEEDED
        assert one.cluster.rollouts == [case.id]
        await one.trail()
        await one.workshop.stop(1)
        await two.workshop.stop(1)


async def test_a_terminal_asks_under_a_name_that_no_slack_user_has(one: Bench) -> None:
    from bot.domain.repair import Action, Look, Proposal
    from tests.jobs.workbench import TARGET

    look = Look(one.cluster.deployment_, tuple(one.cluster.pods_))
    proposal = Proposal(Action.RESTART, look.snapshot, "why", "")
    caller = Caller(Identity(JONAS, "terminal"), "terminal")
    case = (await one.desk.ask(proposal, TARGET.name, caller)).case
    assert case.request.requester == f"terminal:{JONAS}"
    one.desk.channels = {}
    with pytest.raises(Refused, match="no channel"):
        await one.desk.ask(proposal, "other", caller)
