"""Roles of the settings' own: made of capabilities, given by rules, named in refusals."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bot.check.offline import check_access, check_roles
from bot.domain.rbac import own_roles, roles
from bot.domain.rbac.access import AccessPolicy, decide, grants_of
from bot.domain.rbac.roles import Capability
from bot.settings.model import Settings
from tests.people import member


def _policy(may: list[str], **more: object) -> AccessPolicy:
    rule = {"role": "mine", "users": ["U1"]}
    return AccessPolicy.model_validate({"roles": {"mine": may}, "rules": [rule], **more})


def test_a_role_may_what_it_lists_and_what_every_role_may() -> None:
    [grant] = grants_of(_policy(["view", "request"]), member("U1"))
    assert grant.role.name == "mine"
    assert grant.role.may == {Capability.HELP, Capability.EXPLAIN, Capability.VIEW, Capability.REQUEST}


def test_an_operator_without_logs() -> None:
    policy = _policy(["viewer", "read-audit", "handle-incidents", "view-credentials", "request"])
    [grant] = grants_of(policy, member("U1"))
    assert grant.role.may == roles.OPERATOR.may - {Capability.READ_LOGS}
    decision = decide(policy, member("U1"), Capability.READ_LOGS, ())
    assert (
        decision.reason == "it needs the role operator (capability read-logs), and you are a mine (access rule 1)"
    )


@pytest.mark.parametrize("capability", own_roles.CAPABILITIES)
def test_each_capability_can_be_listed_alone(capability: str) -> None:
    [grant] = grants_of(_policy([capability]), member("U1"))
    assert {one.value for one in grant.role.may} == {"help", "explain", capability}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"mine": ["reqest"]}, "there is no capability 'reqest': did you mean 'request'? capabilities are view, "),
        ({"mine": [5]}, "there is no capability '5'"),
        ({"mine": ["explain"]}, "every role has 'explain': leave it out"),
        ({"mine": ["none"]}, "there is no capability 'none'"),
        ({"mine": []}, "the role may do nothing"),
        ({"viewer": ["view"]}, "viewer is a built-in role"),
        ({"none": ["view"]}, "none is a built-in role"),
        ({"request": ["view"]}, "request is a capability"),
        ({"My Role": ["view"]}, "small letters"),
        ({"mine": "view"}, "tuple"),
    ],
)
def test_a_role_that_means_nothing_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match="roles") as refused:
        AccessPolicy.model_validate({"roles": given})
    assert says in str(refused.value)


def test_a_rule_with_an_unknown_role_is_told_those_there_are() -> None:
    with pytest.raises(ValidationError, match=r"or mine\. Did you mean mine\?"):
        AccessPolicy.model_validate({"roles": {"mine": ["view"]}, "rules": [{"role": "mime", "users": ["U1"]}]})
    with pytest.raises(ValidationError, match="it takes viewer, "):  # the others' roles are not left behind
        AccessPolicy.model_validate({"rules": [{"role": "mine", "users": ["U1"]}]})


def test_a_refusal_names_a_role_of_the_settings_only_after_the_built_in_ones() -> None:
    policy = _policy(["view", "decide"])
    assert [str(one) for one in policy.holders(Capability.VIEW)] == ["viewer", "mine"]
    assert [str(one) for one in policy.holders(Capability.DECIDE)] == ["approver", "mine"]


def test_settings_are_written_down_and_read_again() -> None:
    policy = _policy(["view", "decide"])
    assert AccessPolicy.model_validate(policy.model_dump(mode="json")) == policy


def _said(given: dict[str, object]) -> list[str]:
    return [one.detail for one in check_roles(Settings.model_validate({"access": given}))]


def test_check_notes_a_role_that_can_not_see_what_it_acts_on_and_one_that_nobody_has() -> None:
    rules = [{"role": "mine", "users": ["U1"]}]
    [said] = _said({"roles": {"mine": ["request"]}, "rules": rules})
    assert said.startswith("The role mine has request without view")
    assert _said({"roles": {"mine": ["request", "view"]}, "rules": rules}) == []
    assert _said({"roles": {"mine": ["view"]}}) == ["No access rule gives the role mine."]


def test_the_check_names_the_rules_that_are_for_some_targets() -> None:
    rules = [
        {"role": "viewer", "users": ["*"]},
        {"role": "approver", "users": ["U1"], "targets": ["blue"], "name": "leads"},
        {"role": "operator", "users": ["U2"], "targets": ["blue", "green"]},
    ]
    targets = [{"name": name, "namespace": name} for name in ("green", "blue")]
    settings = Settings.model_validate({"access": {"rules": rules}, "targets": targets})
    [found] = [c for c in check_access(settings) if c.title == "Access"]
    assert found.detail == "3 rules: leads is for blue only and access rule 3 is for blue and green only"
