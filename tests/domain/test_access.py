"""Access: closed by default; each answer names its rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.domain.core.reply import Mention
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule, decide, decide_about, grants_of
from bot.domain.rbac.membership import Membership
from bot.domain.rbac.roles import Capability, Role
from tests.people import member

POLICY = AccessPolicy(
    rules=(
        AccessRule(role=roles.VIEWER, channels=("C1",)),
        AccessRule(role=roles.OPERATOR, groups=("S1",), name="on-call"),
        AccessRule(role=roles.APPROVER, users=("U9",)),
        AccessRule(role=roles.APPROVER, users=("U8",), channels=("C2",)),
    )
)


@pytest.mark.parametrize(
    ("user", "channel", "groups", "role", "rule"),
    [
        ("U1", "C1", (), roles.VIEWER, "access rule 1"),
        ("U1", "C2", (), roles.NONE, "no access rule names you"),
        ("U1", "C2", ("S1",), roles.OPERATOR, "on-call"),
        ("U1", "C1", ("S1",), roles.OPERATOR, "on-call"),
        ("U9", "D1", (), roles.APPROVER, "access rule 3"),
        ("U8", "C2", (), roles.APPROVER, "access rule 4"),
        ("U8", "C3", (), roles.NONE, "no access rule names you"),
    ],
)
def test_the_highest_role_that_a_rule_gives(
    user: str, channel: str, groups: tuple[str, ...], role: Role, rule: str
) -> None:
    [grant] = grants_of(POLICY, member(user, channel, frozenset(groups)))
    assert (grant.role, grant.rule) == (role, rule)


@given(st.text(), st.text(), st.frozensets(st.text()), st.sampled_from(Capability))
def test_without_rules_nobody_may_anything_but_ask_for_help(
    user: str, channel: str, groups: frozenset[str], needed: Capability
) -> None:
    may = decide(AccessPolicy(), member(user, channel, groups), needed, ()).allowed
    assert may is (needed is Capability.HELP)


BOUND = AccessPolicy(
    rules=(
        AccessRule(role=roles.APPROVER, users=("U1",), channels=("C1",)),
        AccessRule(role=roles.APPROVER, groups=("S1",), channels=("C1",)),
        AccessRule(role=roles.APPROVER, channels=("C2",)),
        AccessRule(role=roles.APPROVER, users=("*",), groups=("S1",), channels=("C3",)),
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
def test_a_direct_message_about_a_request_counts_in_its_channel_for_people_named_by_a_rule(
    user: str, channel: str, groups: tuple[str, ...], places: tuple[str, ...], may: bool
) -> None:
    who = member(user, channel, frozenset(groups))
    assert decide_about(BOUND, who, Capability.DECIDE, (), places).allowed is may
    if may:  # nobody gets more than by typing it there
        assert any(
            decide(BOUND, replace(who, channel=place), Capability.DECIDE, ()).allowed
            for place in (channel, *places)
        )


def test_what_the_role_none_has_is_open_to_everybody() -> None:
    assert decide(AccessPolicy(), member("U1"), Capability.HELP, ()).allowed


def test_a_refusal_names_the_needed_role_and_the_present_one() -> None:
    reason = decide(POLICY, member("U1", "C1"), Capability.REQUEST, ()).reason
    assert reason == "it needs the role operator, and you are a viewer (access rule 1)"


READER = Role("reader", frozenset({Capability.READ_AUDIT}))


def test_roles_that_do_not_include_each_other_are_held_both_and_said_both() -> None:
    rules = (
        AccessRule(role=READER, users=("U1",), name="audit"),
        AccessRule(role=roles.VIEWER, channels=("C1",), name="team"),
        AccessRule(role=READER, channels=("C1",), name="again"),
    )
    policy, who = AccessPolicy(rules=rules), member("U1", "C1")
    assert [str(grant) for grant in grants_of(policy, who)] == ["a reader (rule: audit)", "a viewer (rule: team)"]
    assert decide(policy, who, Capability.READ_AUDIT, ()).reason == "you are a reader (rule: audit)"
    assert decide(policy, who, Capability.VIEW, ()).reason == "you are a viewer (rule: team)"
    said = "it needs the role approver, and you are a reader (rule: audit) and a viewer (rule: team)"
    assert decide(policy, who, Capability.DECIDE, ()).reason == said


def test_who_would_have_another_role_beside_their_own_as_a_member_is_told_so() -> None:
    rules = (
        AccessRule(role=READER, users=("U1",), name="audit"),
        AccessRule(role=roles.VIEWER, channels=("C1",), name="team"),
    )
    guest = replace(member("U1", "C1"), membership=Membership.GUEST)
    assert "; team is for members" in decide(AccessPolicy(rules=rules), guest, Capability.VIEW, ()).reason


def test_a_refusal_says_when_a_group_could_not_be_read() -> None:
    who = member("U1", "C2", unread=("S1",))
    assert "the members of S1 could not be read" in decide(POLICY, who, Capability.VIEW, ()).reason


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
def test_a_meaningless_rule_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AccessRule.model_validate(rule)


OPEN = AccessPolicy(
    rules=(
        AccessRule(role=roles.APPROVER, channels=("C1",), name="ops"),
        AccessRule(role=roles.OPERATOR, groups=("S1",), name="on-call"),
        AccessRule(role=roles.VIEWER, channels=("C3",), guests=True, name="guests too"),
        AccessRule(role=roles.OPERATOR, users=("UNAMED1",), name="named"),
    )
)


@pytest.mark.parametrize("membership", list(Membership))
def test_which_memberships_each_kind_of_rule_accepts(
    membership: Membership,
) -> None:
    def role(user: str, channel: str, *groups: str) -> Role:
        [grant] = grants_of(OPEN, replace(member(user, channel, groups), membership=membership))
        return grant.role

    own = membership in (Membership.MEMBER, Membership.GUEST, Membership.UNREAD)
    assert role("U1", "C1") == (roles.APPROVER if membership is Membership.MEMBER else roles.NONE)
    assert role("U1", "C2", "S1") == (roles.OPERATOR if own else roles.NONE)
    assert role("U1", "C3") == (roles.VIEWER if own else roles.NONE)
    assert role("UNAMED1", "C2") == (roles.NONE if membership is Membership.GONE else roles.OPERATOR)


def test_a_star_means_everybody_in_the_team() -> None:
    policy = AccessPolicy(rules=(AccessRule(role=roles.VIEWER, users=("*",)),))
    assert not decide(policy, replace(member("U1"), membership=Membership.OTHER), Capability.VIEW, ()).allowed
    assert decide(policy, member("U1"), Capability.VIEW, ()).allowed


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
def test_a_refusal_names_the_rule_for_members_only_and_why_the_user_is_none(
    membership: Membership, why: str
) -> None:
    decision = decide(OPEN, replace(member("U1", "C1"), membership=membership), Capability.DECIDE, ())
    assert decision.allowed is (membership is Membership.MEMBER)
    assert why in decision.reason


def test_a_user_with_a_role_by_id_hears_which_rule_would_give_a_higher_one() -> None:
    who = replace(member("UNAMED1", "C1"), membership=Membership.OTHER)
    reason = decide(OPEN, who, Capability.DECIDE, ()).reason
    assert reason.startswith(
        "it needs the role approver, and you are an operator (rule: named); ops is for members"
    )
    assert reason.endswith("only a rule whose users name UNAMED1 gives you more")


def test_no_rule_is_named_if_membership_would_not_help() -> None:
    reason = decide(OPEN, replace(member("U1", "C9"), membership=Membership.OTHER), Capability.DECIDE, ()).reason
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
def test_the_contact_is_mentioned_if_it_is_an_id(contact: str, asked: str) -> None:
    assert AccessPolicy(contact=contact).ask(" for a role") == ("Ask ", Mention(asked), " for a role.")


@pytest.mark.parametrize("contact", ["Priya", "SUPPORT", "#ops-agent-pod", "Ursula", "the C-suite"])
def test_a_contact_in_words_is_shown_as_written(contact: str) -> None:
    assert AccessPolicy(contact=contact).ask() == f"Ask {contact}."


def test_without_a_contact_the_settings_owner_is_named() -> None:
    assert AccessPolicy().ask() == "Ask whoever looks after agentpod's settings."
