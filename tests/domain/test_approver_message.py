"""An approver's direct message: buttons for the decisions that are left to them, none once it is decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.approvals import card, receipt
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approvable import to_message
from bot.domain.approvals.approval import ApprovalPolicy, Choice, Decision, Request, RequestState, Snapshot
from bot.domain.approvals.approver_message import approver_message
from bot.domain.approvals.forecast import WORSE, Forecast
from bot.domain.approvals.receipt import Receipt
from bot.domain.approvals.reminder import reminder
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.core import words
from bot.domain.core.reply import Fact, Link, Mention
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ASKER, ONE, TWO, CHANNEL = "U0ASKER", "U0ONE", "U0TWO", "C0OPS"
POLICY = ApprovalPolicy(break_glass=("U0BOSS",))


def repair(state: RequestState = RequestState.OPEN, *by: str, joined: tuple[str, ...] = ()) -> RepairRequest:
    decisions = tuple(Decision(Choice.APPROVE, user, NOW) for user in by)
    request = Request("r-22222222", ASKER, NOW, NOW + timedelta(minutes=30), Snapshot("d", 1), 2, state, decisions)
    return RepairRequest(request, "agent", RESTART, effect="It will be down.", channel=CHANNEL, joined=joined)


def test_it_has_the_cards_facts_and_the_same_buttons_with_their_dialogs() -> None:
    said = approver_message(repair(), POLICY, ONE)
    shown = card.card(repair(), POLICY)
    assert (said.headline, said.facts, said.notes) == (shown.headline, shown.facts, shown.notes)
    assert said.buttons == shown.buttons[:2]
    assert [bool(button.confirm) for button in said.buttons] == [b.label == "Approve" for b in said.buttons]
    assert said.body == ("It will be down.", ("The card is in ", Mention(CHANNEL), "."))
    assert said.notify == ()


def test_what_the_request_warns_of_stands_first_in_all_that_people_read_before_the_decision() -> None:
    warned = replace(repair(RequestState.OPEN, ONE), forecast=Forecast(stuck="no pod can be created: quota"))
    mine = Receipt(warned.id, ASKER, channel=CHANNEL, ts="1", shown="before")
    update = receipt.update(mine, warned, (), "", NOW)
    assert update is not None
    for said in (
        card.card(warned, POLICY),
        approver_message(warned, POLICY, ONE),
        update.reply,
        reminder(warned, (), "", NOW),
    ):
        seen = f". Seen at {words.clock(warned.request.created_at)}."
        assert said.body[0] == f"⚠️ Won't help: no pod can be created: quota{seen}"
    under_way = replace(warned, request=replace(warned.request, state=RequestState.EXECUTING))
    assert card.card(under_way, POLICY).body == ()


def test_what_voids_a_request_stands_below_its_short_headline() -> None:
    more = ("Agent sessions that end: 1 more (pid 810: claude)", "SSH sessions that end: 1 more (pid 9)")
    void = replace(repair(RequestState.VOID, ONE, TWO), outcome=ExecutionResult(WORSE, NOW, more))
    for said in (card.card(void, POLICY), card.outcome(void), approver_message(void, POLICY, ONE)):
        assert said.headline == f"🚫 Restart of agent is void: {WORSE}"
        assert Fact("Agent sessions that end", "1 more (pid 810: claude)") in said.facts
        assert Fact("SSH sessions that end", "1 more (pid 9)") in said.facts
    assert card.late(void).body[-1] == f"Why: {WORSE}; {'; '.join(more)}"


@pytest.mark.parametrize(
    ("one", "first"),
    [
        (repair(RequestState.OPEN, ONE), "You approved it. 1 more approval needed."),
        (repair(joined=(ONE,)), "You asked for the same, so somebody else approves it."),
    ],
)
def test_who_can_not_approve_it_any_more_can_still_deny_it(one: RepairRequest, first: str) -> None:
    said = approver_message(one, POLICY, ONE)
    assert said.body[0] == first
    assert [button.label for button in said.buttons] == ["Deny"]
    assert [button.label for button in approver_message(one, POLICY, TWO).buttons] == ["Approve", "Deny"]


def test_where_the_settings_let_requesters_approve_who_joined_can() -> None:
    policy = ApprovalPolicy(self_approval=True)
    said = approver_message(repair(joined=(ONE,)), policy, ONE)
    assert [button.label for button in said.buttons] == ["Approve", "Deny"]


@pytest.mark.parametrize("state", [s for s in RequestState if s is not RequestState.OPEN])
def test_once_it_is_decided_no_button_is_left(state: RequestState) -> None:
    one = repair(state, ONE, TWO)
    said = approver_message(one, POLICY, ONE)
    assert (said.headline, said.buttons) == (card.headline(one), ())
    asked, *decided = said.facts
    assert (asked.label, tuple(decided)) == ("Asked by", tuple(card.decisions(one)))


@pytest.mark.parametrize("state", [RequestState.OPEN, RequestState.SUCCEEDED])
def test_where_the_card_is_linked_its_channel_is_not_named_as_well(state: RequestState) -> None:
    card_ = (Link("Card", "https://chat.example.com/C1/1"),)
    said = approver_message(repair(state), POLICY, ONE, links=card_)
    assert said.links == card_
    assert "The card is in" not in str(said.body)


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ([{"users": [ONE, TWO]}, {"groups": ["S0ONCALL"]}], (ONE, TWO, "S0ONCALL")),
        ([{"users": [ONE]}, {"users": ["*"]}], ()),
        ([{"users": [ONE]}, {"channels": [CHANNEL]}], ()),
        ([{"users": [ONE]}, {"channels": ["C0OTHER"]}], (ONE,)),
        ([{"users": [ONE], "targets": ["other"]}, {"users": [TWO]}], (TWO,)),
        ([], ()),
    ],
)
def test_only_named_approvers_get_one_and_nobody_where_everybody_decides(
    rules: list[dict[str, list[str]]], wanted: tuple[str, ...]
) -> None:
    made = tuple(AccessRule.model_validate({"role": "approver", **rule}) for rule in rules)
    asking = AccessRule(role=roles.OPERATOR, users=("*",))
    assert to_message(AccessPolicy(rules=(asking, *made)), "agent", CHANNEL) == wanted


def test_a_request_from_a_shell_says_so() -> None:
    shell = replace(repair(), request=replace(repair().request, requester="terminal:root"))
    facts = {fact.label: fact.value for fact in approver_message(shell, POLICY, ONE).facts}
    assert "somebody in a shell" in str(facts["Asked by"])
