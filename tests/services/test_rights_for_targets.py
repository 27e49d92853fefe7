"""Rights for another target don't count: at the decision itself, and at a value that is given later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.approvals.approval import Choice, Rule
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.domain.rbac.membership import Membership
from bot.errors import Transient
from bot.services.follow.reading_rights import may_still_read
from tests.people import member
from tests.services.test_secret_writer import approved, give
from tests.services.workbench import JONAS, MAYA, PRIYA, TARGET, Bench


def _for(user: str, target: str) -> AccessPolicy:
    return AccessPolicy(
        rules=(
            AccessRule(role=roles.APPROVER, users=(user,), targets=(target,), name="leads"),
            AccessRule(role=roles.APPROVER, users=(PRIYA,)),
        )
    )


@pytest.mark.parametrize(
    ("target", "rule"), [(TARGET.name, Rule.APPROVED), ("another", Rule.NOT_AN_APPROVER)], ids=["its", "another's"]
)
async def test_an_approver_of_a_target_decides_about_that_one_only(one: Bench, target: str, rule: Rule) -> None:
    repair = await one.ask()
    one.approval_service.access = _for(JONAS, target)
    ruling, _ = await one.say(repair, Choice.APPROVE, JONAS)
    assert ruling.rule is rule
    kinds = [record.kind for record in await one.trail() if record.actor == JONAS]
    assert kinds == ["decision" if rule is Rule.APPROVED else "refusal"]


def test_a_log_is_followed_on_while_its_target_s_logs_may_be_read() -> None:
    access = _for(JONAS, "blue")
    assert may_still_read(access, member(JONAS), "blue")
    assert not may_still_read(access, member(JONAS), "green")
    for unsure in (member(JONAS, unread=["S1"]), replace(member(JONAS), membership=Membership.UNREAD)):
        with pytest.raises(Transient, match="could not be read from Slack"):
            may_still_read(access, unsure, "green")


async def test_a_value_is_taken_only_from_who_may_still_request_for_its_target(one: Bench) -> None:
    repair = await approved(one)
    one.approval_service.access = _for(MAYA, "another")
    refused = await give(one, repair)
    assert refused.headline == (
        f"You may not give {repair.id} its value: it needs the role operator for {TARGET.name}, and you are "
        "an approver for another (rule: leads). Nothing was stored."
    )
    assert one.cluster.stored == 0
    one.approval_service.access = _for(MAYA, TARGET.name)
    assert (await give(one, repair)).headline.startswith("✅")
