"""Whether requests can be approved at all by the settings."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.approvals.approvable import unable_to_break_glass, unapprovable
from bot.domain.approvals.approval import ApprovalPolicy
from bot.domain.rbac.access import AccessPolicy

VIEWER = {"role": "viewer", "channels": ["C0123456789"]}
OPERATOR = {"role": "operator", "groups": ["S0123456789"]}


def approver(*users: str, **more: Any) -> dict[str, Any]:
    return {"role": "approver", "users": list(users)} | more


AUDITORS = {"role": "auditor", "users": ["U01", "U02"], "groups": ["S0123456789"]}
ONE, TWO = approver("U01"), approver("U01", "U02")


@pytest.mark.parametrize(
    ("rules", "policy", "said"),
    [
        (
            [VIEWER, OPERATOR],
            {"needed": 3},
            "needed is 3, and no access rule gives the role approver: nothing can",
        ),
        (
            [VIEWER, OPERATOR],
            {},
            "needed is 1, and no access rule gives the role approver: nothing can be approved.",
        ),
        ([VIEWER], {"needed": 2}, "no access rule gives the role approver"),
        ([], {"break_glass": ["U01"]}, "no access rule gives the role approver"),
        ([ONE], {"needed": 3}, "needed is 3, and the access rules name 1 approver: nothing can be approved."),
        ([ONE, TWO], {"needed": 3}, "the access rules name 2 approvers: nothing can be approved."),
        ([TWO, OPERATOR], {"needed": 2}, "name 2 approvers: what one of them asks for can't be approved."),
        ([ONE], {}, "name 1 approver: what one of them asks for can't be approved."),
    ],
)
def test_unapprovable_settings_are_reported(rules: list[Any], policy: dict[str, Any], said: str) -> None:
    access = AccessPolicy.model_validate({"rules": rules})
    [(found, _)] = unapprovable(access, ApprovalPolicy.model_validate(policy), ("alpha", "beta"))
    assert said in found


@pytest.mark.parametrize(
    ("rules", "policy"),
    [
        ([VIEWER], {}),
        ([TWO], {}),
        ([ONE], {"self_approval": True}),
        ([ONE, approver(groups=["S0123456789"])], {"needed": 3}),
        ([approver("*")], {"needed": 3}),
        ([approver(channels=["C0123456789"])], {"needed": 3}),
        ([approver("U01"), approver("U02"), approver("U03", channels=["C0123456789"])], {"needed": 2}),
    ],
)
def test_settings_with_enough_approvers_are_not_reported(rules: list[Any], policy: dict[str, Any]) -> None:
    access = AccessPolicy.model_validate({"rules": rules})
    assert list(unapprovable(access, ApprovalPolicy.model_validate(policy), ("alpha", "beta"))) == []


def test_each_target_is_judged_by_the_rules_for_it() -> None:
    rules = [approver("U01", "U02", targets=["alpha"]), approver("U03", targets=["alpha", "beta"])]
    access = AccessPolicy.model_validate({"rules": rules})
    found = list(unapprovable(access, ApprovalPolicy(needed=2), ("alpha", "beta", "gamma")))
    assert found == [
        (
            "approvals.needed is 2, and the access rules name 1 approver for beta: nothing can be approved there.",
            "Name 1 more with the role approver for beta, or set approvals.needed to 1 or less.",
        ),
        (
            "approvals.needed is 2, and no access rule gives the role approver for gamma: nothing can be approved "
            "there.",
            "Add an access rule such as {role: approver, users: [U0123456789], targets: [gamma]}.",
        ),
    ]


@pytest.mark.parametrize(
    ("rules", "glass", "said"),
    [
        ([AUDITORS, approver("U02")], ["U01", "U02"], "U01 is in approvals.break_glass without the role viewer"),
        ([AUDITORS], ["U01", "S0123456789"], "U01 and S0123456789 are in approvals.break_glass without the role"),
        ([AUDITORS, approver("U02")], ["U02"], None),
        ([AUDITORS, approver("U02")], ["S0123456789"], None),
        ([AUDITORS, VIEWER], ["U01"], None),
        ([AUDITORS, OPERATOR], ["U01"], None),
        ([AUDITORS], [], None),
    ],
)
def test_people_who_surely_may_not_break_glass_are_reported(
    rules: list[Any], glass: list[str], said: str | None
) -> None:
    access = AccessPolicy.model_validate({"rules": rules})
    found = unable_to_break_glass(access, ApprovalPolicy.model_validate({"break_glass": glass}))
    assert (found is None) if said is None else (found is not None and found[0].startswith(said))
