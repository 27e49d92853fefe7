"""Access: closed by default; each answer names its rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.domain.access import AccessPolicy, AccessRule, Identity, Role, decide, decide_about, role_of

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
    grant = role_of(POLICY, Identity(user, channel, frozenset(groups)))
    assert (grant.role, grant.rule) == (role, rule)


@given(st.text(), st.text(), st.frozensets(st.text()), st.sampled_from([r for r in Role if r is not Role.NONE]))
def test_without_rules_nobody_may_anything(user: str, channel: str, groups: frozenset[str], needed: Role) -> None:
    assert not decide(AccessPolicy(), Identity(user, channel, groups), needed).allowed


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
    who = Identity(user, channel, frozenset(groups))
    assert decide_about(BOUND, who, Role.APPROVER, places).allowed is may
    if may:  # nobody gets more than by typing it there
        assert any(
            decide(BOUND, replace(who, channel=place), Role.APPROVER).allowed for place in (channel, *places)
        )


def test_role_none_is_open_to_everybody() -> None:
    assert decide(AccessPolicy(), Identity("U1"), Role.NONE).allowed


def test_a_refusal_says_what_is_needed_and_what_one_has() -> None:
    reason = decide(POLICY, Identity("U1", "C1"), Role.OPERATOR).reason
    assert reason == "it needs the role operator, and you are viewer by access rule 1"


def test_a_refusal_says_when_a_group_could_not_be_read() -> None:
    who = Identity("U1", "C2", unread_groups=frozenset({"S1"}))
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
