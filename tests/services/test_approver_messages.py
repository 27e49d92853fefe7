"""Approvers get one direct message per request, which is kept up to date, across restarts and replicas."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.domain.approvals import message_keys
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState
from bot.domain.rbac.access import AccessPolicy, AccessRule, Identity
from bot.domain.rbac.membership import Membership
from bot.errors import NotAllowed, Permanent, Transient
from bot.services.approvals.approver_messages import ApproverMessages
from bot.services.approvals.recovery import RequestRecovery
from tests.services.workbench import JONAS, MAYA, ONCALL, PRIYA, SAM, Bench, bench, opened


@dataclass
class Accounts:
    """A Slack that says who is in a group, and what an account is."""

    one: Bench
    memberships: dict[str, Membership] = field(default_factory=dict)
    away: bool = False
    asked: int = 0

    async def members(self, groups: Collection[str]) -> frozenset[str]:
        self.asked += 1
        if self.away:
            raise Transient("Slack is away.")
        return frozenset().union(*(self.one.groups.get(group, set()) for group in groups))

    async def person(self, user: str) -> Identity:
        mine = frozenset(g for g, members in self.one.groups.items() if user in members)
        return Identity(user, user, mine, membership=self.memberships.get(user, Membership.MEMBER))


async def send(one: Bench, people: Accounts | None = None) -> Accounts:
    people = people or Accounts(one)
    found = await one.ledger.requests(states=[RequestState.OPEN])
    await ApproverMessages(one.approval_service, people).send(found)
    await one.deliver()
    return people


def direct(one: Bench, but: str = MAYA) -> dict[str, list[str]]:
    """Who got direct messages, as they are now; those to the requester are left out."""
    found: dict[str, list[str]] = {}
    for number, (place, _, _) in enumerate(one.chat.said, start=1):
        if place.startswith("U") and place != but:
            reply = one.chat.shown[f"{number}.0"]
            found.setdefault(place, []).append(f"{reply.headline} [{', '.join(b.label for b in reply.buttons)}]")
    return found


OPEN = "✋ Restart of secure-agent-pod: needs approval [Approve, Deny]"


async def test_each_approver_gets_one_by_user_and_by_group_but_not_who_asked(one: Bench) -> None:
    one.groups[ONCALL] = {MAYA, SAM, JONAS}
    repair = await one.ask()
    for _ in range(3):
        await send(one)
    assert direct(one, but="") == {JONAS: [OPEN], PRIYA: [OPEN], SAM: [OPEN]}
    assert (await one.now(repair)).messaged == (JONAS, PRIYA, SAM)


async def test_no_button_is_left_once_it_is_decided(one: Bench) -> None:
    repair = await one.ask()
    await send(one)
    await one.say(repair, Choice.DENY, JONAS, "no")
    await one.deliver()
    denied = "⛔ Restart of secure-agent-pod: denied []"
    assert direct(one) == {JONAS: [denied], PRIYA: [denied]}


async def test_they_are_up_to_date_at_the_end_of_the_repair(one: Bench) -> None:
    repair = await one.ask()
    await send(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.ended(repair)
    await one.deliver()
    assert {line for lines in direct(one).values() for line in lines} == {
        "✅ Restarted secure-agent-pod: ready after 1 s []"
    } or all("✅ Restarted" in line and line.endswith("[]") for [line] in direct(one).values())


async def test_a_vote_and_a_join_change_what_is_offered(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy(needed=2))
        one.groups[ONCALL] = {SAM}
        repair = await one.ask()
        await send(one)
        await one.say(repair, Choice.APPROVE, JONAS)
        await one.ask(SAM)
        await one.deliver()
        headline = "✋ Restart of secure-agent-pod: has 1 of 2 approvals"
        assert direct(one) == {
            JONAS: [f"{headline} [Deny]"],
            PRIYA: [f"{headline} [Approve, Deny]"],
            SAM: [f"{headline} [Deny]"],
        }


async def test_a_request_that_was_decided_before_they_were_known_messages_nobody(one: Bench) -> None:
    repair = await one.ask()
    found = await one.ledger.requests(states=[RequestState.OPEN])
    await one.say(repair, Choice.DENY, JONAS, "no")
    await ApproverMessages(one.approval_service, Accounts(one)).send(found)
    await one.deliver()
    assert direct(one) == {}


async def test_one_that_was_decided_before_it_was_posted_is_dropped(one: Bench) -> None:
    repair = await one.ask()
    await ApproverMessages(one.approval_service, Accounts(one)).send([repair])
    await one.say(repair, Choice.DENY, JONAS, "no")
    await one.deliver()
    assert direct(one) == {}
    assert await one.ledger.waiting() == 0


async def test_two_replicas_and_a_restart_send_one_each(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        two = bench(ledger, name="two", like=one)
        repair = await one.ask()
        sending = [
            ApproverMessages(each.approval_service, Accounts(one)).send([repair]) for each in (one, two, one)
        ]
        await asyncio.gather(*sending)
        message = await ledger.delivery(message_keys.approver(repair.id, JONAS))
        assert message is not None
        assert message.wanted == 1
        await two.deliver()
    async with opened(tmp_path) as ledger:
        await send(bench(ledger, name="three", like=one))
        assert direct(one) == {JONAS: [OPEN], PRIYA: [OPEN]}


async def test_deactivated_people_and_those_of_another_company_get_none(one: Bench) -> None:
    one.groups[ONCALL] = {SAM}
    await one.ask()
    await send(one, Accounts(one, {JONAS: Membership.GONE, SAM: Membership.OTHER}))
    assert direct(one) == {PRIYA: [OPEN]}


async def test_nobody_is_messaged_where_too_many_may_decide(one: Bench) -> None:
    one.groups[ONCALL] = {f"U0{number}" for number in range(9)}
    repair = await one.ask()
    await send(one)
    assert direct(one) == {}
    assert (await one.now(repair)).messaged == ()


async def test_nobody_is_messaged_where_everybody_may_decide(one: Bench) -> None:
    everybody = AccessRule.model_validate({"role": "approver", "users": ["*"]})
    one.approval_service.access = AccessPolicy(rules=(*one.approval_service.access.rules, everybody))
    await one.ask()
    await send(one)
    assert direct(one) == {}


async def test_switched_off_nobody_is_looked_up(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy(message_approvers=0))
        await one.ask()
        people = await send(one)
        assert (direct(one), people.asked) == ({}, 0)


async def test_while_slack_does_not_say_who_they_are_a_later_pass_tries_again(one: Bench) -> None:
    people = Accounts(one, away=True)
    recovery = RequestRecovery(one.approval_service, one.executor, ApproverMessages(one.approval_service, people))
    await one.ask()
    await recovery._pass(at_start=False)
    await one.deliver()
    assert (direct(one), people.asked) == ({}, 1)
    people.away = False
    await recovery._pass(at_start=False)
    await one.deliver()
    assert direct(one) == {JONAS: [OPEN], PRIYA: [OPEN]}


@pytest.mark.parametrize("unread", [Membership.UNKNOWN, Membership.UNREAD])
async def test_while_slack_does_not_say_who_one_of_them_is_a_later_pass_tries_again(
    one: Bench, unread: Membership
) -> None:
    one.groups[ONCALL] = {SAM}
    people = Accounts(one, {SAM: unread})
    recovery = RequestRecovery(one.approval_service, one.executor, ApproverMessages(one.approval_service, people))
    await one.ask()
    await recovery._pass(at_start=False)
    people.memberships.clear()
    await recovery._pass(at_start=False)
    await one.deliver()
    assert direct(one) == {JONAS: [OPEN], PRIYA: [OPEN], SAM: [OPEN]}


async def test_who_lost_the_right_gets_no_update(one: Bench) -> None:
    one.groups[ONCALL] = {SAM}
    repair = await one.ask()
    await send(one)
    one.groups[ONCALL].clear()
    await one.say(repair, Choice.DENY, JONAS, "a reason")
    await one.deliver()
    denied = "⛔ Restart of secure-agent-pod: denied []"
    assert direct(one) == {JONAS: [denied], PRIYA: [denied], SAM: [OPEN]}
    assert await one.ledger.waiting() == 0


async def test_who_lost_the_right_before_it_is_sent_gets_none(one: Bench) -> None:
    one.groups[ONCALL] = {SAM}
    repair = await one.ask()
    await ApproverMessages(one.approval_service, Accounts(one)).send([repair])
    one.groups[ONCALL].clear()
    await one.deliver()
    assert direct(one) == {JONAS: [OPEN], PRIYA: [OPEN]}


async def test_while_it_is_not_known_whether_somebody_may_decide_an_update_waits(one: Bench) -> None:
    one.groups[ONCALL] = {SAM}
    repair = await one.ask()
    await send(one)
    one.people.memberships[SAM] = Membership.UNKNOWN
    await one.say(repair, Choice.DENY, JONAS, "no")
    await one.deliver()
    assert direct(one)[SAM] == [OPEN]
    one.people.memberships.clear()
    one.clock.pass_(minutes=2)
    await one.deliver()
    assert direct(one)[SAM] == ["⛔ Restart of secure-agent-pod: denied []"]


async def test_who_can_not_be_messaged_is_recorded_and_not_tried_again(one: Bench) -> None:
    one.chat.refuses = JONAS
    repair = await one.ask()
    await send(one)
    for _ in range(3):
        one.clock.pass_(minutes=2)
        await one.deliver()
    message = await one.ledger.delivery(message_keys.approver(repair.id, JONAS))
    assert message is not None
    assert (message.attempts, message.error) == (1, "not_in_channel")
    assert [m.key for m in await one.ledger.dead(repair.request.created_at)] == [message.key]
    assert direct(one) == {PRIYA: [OPEN]}


@pytest.mark.parametrize("error", [NotAllowed("the token was revoked"), Transient("500")])
async def test_what_is_wrong_with_slack_as_a_whole_is_retried(one: Bench, error: Exception) -> None:
    await one.ask()
    await one.deliver()
    one.chat.errors = [error, error]
    await send(one)
    one.clock.pass_(minutes=2)
    await one.deliver()
    assert direct(one) == {JONAS: [OPEN], PRIYA: [OPEN]}


def test_a_refusal_of_a_place_is_permanent() -> None:
    """What the fakes raise is what Slack's adapter raises for a person without direct messages."""
    from bot.adapters.slack.errors import refusal

    for word in ("cannot_dm_bot", "messages_tab_disabled", "user_disabled", "channel_not_found"):
        error = refusal("chat.postMessage", word, {})
        assert isinstance(error, Permanent)
        assert not isinstance(error, NotAllowed)
