"""What somebody may decide about a request for a target, and whom its card mentions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.approvals.approvable import deadlock, entitled, mentioned
from bot.domain.approvals.approval import ApprovalPolicy
from bot.domain.approvals.standing import standing
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.domain.rbac.membership import Membership
from tests.domain.test_card import POLICY, repair
from tests.people import member

ACCESS = AccessPolicy(
    rules=(
        AccessRule(role=roles.APPROVER, users=("U1",), targets=("alpha",)),
        AccessRule(role=roles.APPROVER, users=("U2",), targets=("alpha", "beta")),
        AccessRule(role=roles.VIEWER, users=("U3",), targets=("alpha",)),
    )
)
GLASS = ApprovalPolicy(break_glass=("U01", "U3"))


@pytest.mark.parametrize(
    ("user", "target", "approver", "alone"),
    [
        ("U1", "alpha", True, False),
        ("U1", "beta", False, False),
        ("U2", "beta", True, False),
        ("U3", "alpha", False, True),
        ("U3", "beta", False, False),
        ("U01", "alpha", False, False),
    ],
)
def test_rights_to_decide_are_for_the_request_s_target(
    user: str, target: str, approver: bool, alone: bool
) -> None:
    found = standing(ACCESS, GLASS, member(user, "C1"), target, ("C1",))
    assert (found.approver, found.break_glass, found.joined) == (approver, alone, False)


def test_who_is_gone_breaks_no_glass() -> None:
    gone = replace(member("U3", "C1"), membership=Membership.GONE)
    assert not standing(ACCESS, GLASS, gone, "alpha", ("C1",)).break_glass


def test_who_joined_is_known() -> None:
    assert standing(ACCESS, GLASS, member("U1"), "alpha", (), joined=("U1",)).joined


def test_cards_mention_and_count_the_approvers_of_their_target() -> None:
    asked = repair()
    for target, users in (("alpha", ("U1", "U2")), ("beta", ("U2",)), ("gamma", ())):
        one = replace(asked, target=target)
        assert mentioned(ACCESS, POLICY, one) == users
        assert entitled(one, ACCESS, POLICY) == users
        assert bool(deadlock(one, ACCESS, POLICY)) is (not users)
