"""Access rules for some targets only: each decision is about targets, and refusals name them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.domain.rbac import roles
from bot.domain.rbac.access import (
    AccessPolicy,
    AccessRule,
    allowed_in,
    decide,
    decide_about,
    grants_of,
    left_out,
)
from bot.domain.rbac.membership import Membership
from bot.domain.rbac.roles import Capability
from bot.domain.rbac.scope import ANY, Targets
from bot.settings.model import Settings
from tests.people import member

POLICY = AccessPolicy(
    rules=(
        AccessRule(role=roles.VIEWER, users=("U1", "U2"), name="all"),
        AccessRule(role=roles.OPERATOR, users=("U1",), targets=("alpha",), name="ops-a"),
        AccessRule(role=roles.APPROVER, users=("U1",), targets=("beta",), name="leads-b"),
        AccessRule(role=roles.OPERATOR, users=("U3",), targets=("alpha", "beta")),
        AccessRule(role=roles.APPROVER, groups=("S1",), channels=("C1",), targets=("beta",)),
    )
)


@pytest.mark.parametrize(
    ("needed", "targets", "may"),
    [
        (Capability.VIEW, (), True),
        (Capability.VIEW, ("alpha", "gone"), True),
        (Capability.READ_LOGS, ("alpha",), True),
        (Capability.READ_LOGS, ("beta",), True),
        (Capability.READ_LOGS, ("alpha", "beta"), True),
        (Capability.READ_LOGS, ("alpha", "gamma"), False),
        (Capability.READ_LOGS, (), False),
        (Capability.READ_LOGS, ANY, True),
        (Capability.DECIDE, ("beta",), True),
        (Capability.DECIDE, ("alpha",), False),
        (Capability.DECIDE, ("alpha", "beta"), False),
        (Capability.DECIDE, ANY, True),
        (Capability.HELP, (), True),
    ],
)
def test_a_rule_counts_for_its_targets(needed: Capability, targets: Targets, may: bool) -> None:
    assert decide(POLICY, member("U1"), needed, targets).allowed is may


def test_a_refusal_names_the_target_and_the_rule_that_allows_it_elsewhere() -> None:
    refused = decide(POLICY, member("U1"), Capability.DECIDE, ("alpha",)).reason
    assert refused == (
        "it needs the role approver for alpha, and you are a viewer (rule: all), an operator for alpha (rule: "
        "ops-a) and an approver for beta (rule: leads-b)"
    )
    refused = decide(POLICY, member("U9"), Capability.DECIDE, ("alpha",)).reason
    assert refused == "it needs the role approver for alpha, and no access rule names you here"
    refused = decide(POLICY, member("U3"), Capability.READ_AUDIT, ()).reason
    assert refused == (
        "it needs the role operator for all targets, and you are an operator for alpha and beta (access rule 4)"
    )


def test_what_allows_it_is_named_with_its_targets() -> None:
    allowed = decide(POLICY, member("U1"), Capability.READ_LOGS, ("alpha", "beta"))
    assert allowed.reason == "you are an operator for alpha (rule: ops-a) and an approver for beta (rule: leads-b)"


@pytest.mark.parametrize(
    ("rules", "shown"),
    [
        ([("viewer", ()), ("viewer", ("alpha",))], ["a viewer (access rule 1)"]),
        ([("viewer", ("alpha",)), ("viewer", ())], ["a viewer (access rule 2)"]),
        ([("viewer", ("alpha",)), ("viewer", ("alpha",))], ["a viewer for alpha (access rule 1)"]),
        (
            [("viewer", ()), ("operator", ("alpha",))],
            ["a viewer (access rule 1)", "an operator for alpha (access rule 2)"],
        ),
        (
            [("operator", ("alpha", "beta")), ("viewer", ("beta",))],
            ["an operator for alpha and beta (access rule 1)"],
        ),
        (
            [("operator", ("alpha",)), ("viewer", ("beta",))],
            ["an operator for alpha (access rule 1)", "a viewer for beta (access rule 2)"],
        ),
    ],
)
def test_a_grant_that_another_one_includes_with_its_targets_is_left_out(
    rules: list[tuple[str, tuple[str, ...]]], shown: list[str]
) -> None:
    made = [
        {"role": role, "users": ["U1"], **({"targets": targets} if targets else {})} for role, targets in rules
    ]
    assert [str(g) for g in grants_of(AccessPolicy.model_validate({"rules": made}), member("U1"))] == shown


@given(
    st.lists(
        st.tuples(st.sampled_from(["viewer", "operator", "approver", "auditor"]), st.sets(st.sampled_from("abc"))),
        max_size=5,
    ),
    st.sampled_from(Capability),
    st.sets(st.sampled_from("abcd")),
)
def test_all_are_allowed_exactly_where_each_is(
    rules: list[tuple[str, set[str]]], needed: Capability, targets: set[str]
) -> None:
    made = [{"role": role, "users": ["U1"], **({"targets": sorted(of)} if of else {})} for role, of in rules]
    policy, who = AccessPolicy.model_validate({"rules": made}), member("U1")
    naive = {
        t: needed in roles.NONE.may
        or any(needed in roles.known()[role].may and (not of or t in of) for role, of in rules)
        for t in "abcd"
    }
    for target in "abcd":
        assert decide(policy, who, needed, (target,)).allowed is naive[target]
    if targets:
        assert decide(policy, who, needed, tuple(targets)).allowed is all(naive[t] for t in targets)
    without = needed in roles.NONE.may or any(needed in roles.known()[role].may and not of for role, of in rules)
    assert decide(policy, who, needed, ()).allowed is without
    somewhere = needed in roles.NONE.may or any(needed in roles.known()[role].may for role, _ in rules)
    assert decide(policy, who, needed, ANY).allowed is somewhere


def test_a_request_s_channel_and_target_count_together() -> None:
    who = member("U5", "D1", frozenset({"S1"}))
    assert decide_about(POLICY, who, Capability.DECIDE, ("beta",), ("C1",)).allowed
    assert not decide_about(POLICY, who, Capability.DECIDE, ("alpha",), ("C1",)).allowed
    assert not decide_about(POLICY, who, Capability.DECIDE, ("beta",), ("C2",)).allowed
    assert allowed_in(POLICY, who, Capability.DECIDE, ("beta",)) == ("C1",)
    assert allowed_in(POLICY, who, Capability.DECIDE, ("alpha",)) == ()


def test_what_members_have_more_is_compared_for_the_same_targets() -> None:
    rules = (
        AccessRule(role=roles.VIEWER, users=("U1",), targets=("alpha",)),
        AccessRule(role=roles.VIEWER, users=("*",), name="team"),
    )
    policy, guest = AccessPolicy(rules=rules), replace(member("U1"), membership=Membership.GUEST)
    assert left_out(policy, guest, grants_of(policy, guest)).startswith("team is for members")


def test_an_empty_list_is_no_way_to_say_all() -> None:
    with pytest.raises(ValidationError, match="lists no target: name at least one, or leave targets out for all"):
        AccessRule.model_validate({"role": "viewer", "users": ["U1"], "targets": []})


def test_a_target_that_is_not_in_the_settings_is_refused() -> None:
    rule = {"role": "viewer", "users": ["U1"], "targets": ["agent-a", "agent-bb"]}
    targets = [{"name": "agent-a"}, {"name": "agent-b", "namespace": "b"}]
    with pytest.raises(
        ValidationError, match="there is no target 'agent-bb' in targets; did you mean 'agent-b'"
    ) as e:
        Settings.model_validate({"access": {"rules": [rule]}, "targets": targets})
    assert e.value.errors()[0]["loc"] == ("access", "rules", 0, "targets", 1)
