"""Access: closed by default; each answer names its rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.domain.core.reply import Mention
from bot.domain.rbac.access import AccessPolicy, AccessRule, Role, decide, decide_about, role_of
from bot.domain.rbac.membership import Membership
from tests.people import member

POLICY = AccessPolicy(
    rules=(
        AccessRule(role=Role.VIEWER, channels=("C1",)),
        AccessRule(role=Role.OPERATOR, groups=("S1",), name="on-call"),
        AccessRule(role=Role.APPROVER, users=("U9",)),
        AccessRule(role=Role.APPROVER, users=("U8",), channels=("C2",)),
    )
)


@pytest.mark.parametrize(
    ("user", "channel", "groups", "role", "rule"),
    [
        ("U1", "C1", (), Role.VIEWER, "access rule 1"),
        ("U1", "C2", (), Role.NONE, "no access rule names you"),
        ("U1", "C2", ("S1",), Role.OPERATOR, "on-call"),
        ("U1", "C1", ("S1",), Role.OPERATOR, "on-call"),
        ("U9", "D1", (), Role.APPROVER, "access rule 3"),
        ("U8", "C2", (), Role.APPROVER, "access rule 4"),
        ("U8", "C3", (), Role.NONE, "no access rule names you"),
    ],
)
def test_the_highest_role_that_a_rule_gives(
    user: str, channel: str, groups: tuple[str, ...], role: Role, rule: str
) -> None:
    grant = role_of(POLICY, member(user, channel, frozenset(groups)))
    assert (grant.role, grant.rule) == (role, rule)


@given(st.text(), st.text(), st.frozensets(st.text()), st.sampled_from([r for r in Role if r is not Role.NONE]))
def test_without_rules_nobody_may_anything(user: str, channel: str, groups: frozenset[str], needed: Role) -> None:
    assert not decide(AccessPolicy(), member(user, channel, groups), needed).allowed


BOUND = AccessPolicy(
    rules=(
        AccessRule(role=Role.APPROVER, users=("U1",), channels=("C1",)),
        AccessRule(role=Role.APPROVER, groups=("S1",), channels=("C1",)),
        AccessRule(role=Role.APPROVER, channels=("C2",)),
        AccessRule(role=Role.APPROVER, users=("*",), groups=("S1",), channels=("C3",)),
    )
)


@pytest.mark.parametrize(
    ("user", "channel", "groups", "places", "may"),
    [
        ("U1", "D1", (), ("C1",), True),
        ("U1", "U1", (), ("C1",), True),
        ("U1", "D1", (), ("C9", "C1"), True),
        ("U1", "D1", (), (), False),
        ("U1", "D1", (), ("C9",), False),
        ("U1", "C9", (), ("C1",), False),
        ("U1", "G9", (), ("C1",), False),
        ("U1", "terminal", (), ("C1",), False),
        ("U2", "D1", (), ("C1",), False),
        ("U2", "D1", ("S1",), ("C1",), True),
        ("U2", "D1", (), ("C2",), False),
        ("U1", "D1", (), ("C2",), False),
        ("U2", "C2", (), ("C9",), True),
        ("U2", "D1", (), ("C3",), False),
        ("U2", "D1", ("S1",), ("C3",), True),
    ],
)
def test_what_is_said_of_a_request_in_no_channel_counts_in_its_own_for_whom_a_rule_names(
    user: str, channel: str, groups: tuple[str, ...], places: tuple[str, ...], may: bool
) -> None:
    who = member(user, channel, frozenset(groups))
    assert decide_about(BOUND, who, Role.APPROVER, places).allowed is may
    if may:  # nobody gets more than by typing it there
        assert any(
            decide(BOUND, replace(who, channel=place), Role.APPROVER).allowed for place in (channel, *places)
        )


def test_role_none_is_open_to_everybody() -> None:
    assert decide(AccessPolicy(), member("U1"), Role.NONE).allowed


def test_a_refusal_says_what_is_needed_and_what_one_has() -> None:
    reason = decide(POLICY, member("U1", "C1"), Role.OPERATOR).reason
    assert reason == "it needs the role operator, and you are viewer by access rule 1"


def test_a_refusal_says_when_a_group_could_not_be_read() -> None:
    who = member("U1", "C2", unread=("S1",))
    assert "the members of S1 could not be read" in decide(POLICY, who, Role.VIEWER).reason


@pytest.mark.parametrize(
    "rule",
    [
        {"role": "viewer"},
        {"role": "none", "users": ["U1"]},
        {"role": "viewer", "users": ["maya"]},
        {"role": "viewer", "groups": ["U1"]},
        {"role": "viewer", "channels": ["#ops"]},
    ],
)
def test_a_rule_that_can_not_mean_anything_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AccessRule.model_validate(rule)


OPEN = AccessPolicy(
    rules=(
        AccessRule(role=Role.APPROVER, channels=("C1",), name="ops"),
        AccessRule(role=Role.OPERATOR, groups=("S1",), name="on-call"),
        AccessRule(role=Role.VIEWER, channels=("C3",), guests=True, name="guests too"),
        AccessRule(role=Role.OPERATOR, users=("UNAMED1",), name="named"),
    )
)


@pytest.mark.parametrize("membership", list(Membership))
def test_a_rule_for_everybody_counts_full_members_one_for_a_group_the_team_s_and_an_id_is_an_id(
    membership: Membership,
) -> None:
    def role(user: str, channel: str, *groups: str) -> Role:
        return role_of(OPEN, replace(member(user, channel, groups), membership=membership)).role

    own = membership in (Membership.MEMBER, Membership.GUEST, Membership.UNREAD)
    assert role("U1", "C1") is (Role.APPROVER if membership is Membership.MEMBER else Role.NONE)
    assert role("U1", "C2", "S1") is (Role.OPERATOR if own else Role.NONE)
    assert role("U1", "C3") is (Role.VIEWER if own else Role.NONE)
    assert role("UNAMED1", "C2") is (Role.NONE if membership is Membership.GONE else Role.OPERATOR)


def test_everybody_by_a_star_is_no_more_than_everybody_of_the_team() -> None:
    policy = AccessPolicy(rules=(AccessRule(role=Role.VIEWER, users=("*",)),))
    assert not decide(policy, replace(member("U1"), membership=Membership.OTHER), Role.VIEWER).allowed
    assert decide(policy, member("U1"), Role.VIEWER).allowed


@pytest.mark.parametrize(
    ("membership", "why"),
    [
        (Membership.OTHER, "ops is for members of the app's own Slack team, and you belong to another company"),
        (Membership.GUEST, "and you are a guest: only a rule whose users name U1 gives you a role"),
        (Membership.UNREAD, "needs the scope users:read"),
        (Membership.UNKNOWN, "Slack did not say which team you belong to"),
        (Membership.BOT, "you are a bot"),
        (Membership.GONE, "your account is deactivated"),
        (Membership.MEMBER, ""),
    ],
)
def test_a_refusal_says_which_rule_counts_members_only_and_why_somebody_is_none(
    membership: Membership, why: str
) -> None:
    decision = decide(OPEN, replace(member("U1", "C1"), membership=membership), Role.APPROVER)
    assert decision.allowed is (membership is Membership.MEMBER)
    assert why in decision.reason


def test_who_has_a_role_by_id_is_told_what_would_give_them_more() -> None:
    who = replace(member("UNAMED1", "C1"), membership=Membership.OTHER)
    reason = decide(OPEN, who, Role.APPROVER).reason
    assert reason.startswith("it needs the role approver, and you are operator by named; ops is for members")
    assert reason.endswith("only a rule whose users name UNAMED1 gives you more")


def test_who_is_none_and_would_get_nothing_as_a_member_either_is_told_of_no_rule() -> None:
    reason = decide(OPEN, replace(member("U1", "C9"), membership=Membership.OTHER), Role.APPROVER).reason
    assert reason == "it needs the role approver, and no access rule names you here"


@pytest.mark.parametrize(
    ("contact", "asked"),
    [
        ("U0CAROL01", "U0CAROL01"),
        ("W0CAROL01", "W0CAROL01"),
        ("S0ONCALL1", "S0ONCALL1"),
        ("C0HELP001", "C0HELP001"),
        (" <@U0CAROL01|carol> ", "U0CAROL01"),
        ("<!subteam^S0ONCALL1>", "S0ONCALL1"),
        ("<#C0HELP001|help>", "C0HELP001"),
    ],
)
def test_whom_to_ask_is_mentioned_where_it_is_an_id(contact: str, asked: str) -> None:
    assert AccessPolicy(contact=contact).ask(" for a role") == ("Ask ", Mention(asked), " for a role.")


@pytest.mark.parametrize("contact", ["Priya", "SUPPORT", "#ops-agent-pod", "Ursula", "the C-suite"])
def test_whom_to_ask_in_words_stays_so(contact: str) -> None:
    assert AccessPolicy(contact=contact).ask() == f"Ask {contact}."


def test_where_nobody_is_named_to_ask_it_is_whoever_looks_after_the_settings() -> None:
    assert AccessPolicy().ask() == "Ask whoever looks after agentpod's settings."
