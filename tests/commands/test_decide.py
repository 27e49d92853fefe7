"""Who may say what to a request: the access rule lets in whom the desk can then judge."""

from __future__ import annotations

import pytest

from bot.domain.access import AccessPolicy, AccessRule, Identity, Role, decide
from commands.decide import APPROVE, BREAK_GLASS
from tests.commands.fakes import World


@pytest.mark.parametrize(("role", "may"), [(Role.VIEWER, True), (Role.NONE, False)])
def test_a_viewer_on_the_break_glass_list_is_not_stopped_before_the_list_is_looked_at(
    role: Role, may: bool
) -> None:
    rules = () if role is Role.NONE else (AccessRule(role=role, users=("U9",)),)
    policy = AccessPolicy(rules=rules)
    assert decide(policy, Identity("U9", "C1"), BREAK_GLASS.role).allowed is may
    assert not decide(policy, Identity("U9", "C1"), APPROVE.role).allowed


async def test_can_i_says_the_same_to_a_viewer() -> None:
    reply = await World(role=Role.VIEWER).run("can-i break-glass")
    assert reply.data["allowed"] is True
