"""Welcomes: once each, with what their mark says, and only what the person may do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.adapters.slack.greeting import Greeting
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule, Identity
from bot.domain.rbac.membership import Membership
from bot.errors import Transient
from bot.ports.ledger import Ledger
from bot.services.welcome.welcomes import Welcomes
from sandbox.slack import seed
from tests.services.workbench import opened

RULES = (
    AccessRule(role=roles.OPERATOR, groups=(seed.ONCALL,)),
    AccessRule(role=roles.VIEWER, channels=(seed.OPS,)),
)


@pytest_asyncio.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with opened(tmp_path) as found:
        yield found


def made(ledger: Ledger) -> Welcomes:
    return Welcomes(ledger, AccessPolicy(rules=RULES, contact="Priya"), "/agentpod")


def who(user: str, *groups: str) -> Identity:
    return Identity(user, seed.OPS, frozenset(groups), membership=Membership.MEMBER)


async def shown(one: Welcomes, id_: str) -> tuple[str, list[str]]:
    reply = await one.render(OutboxMessage(MessageKey.of("welcome", id_), id_))
    assert reply is not None
    return str(reply.body[0]), [button.command for button in reply.buttons]


async def test_a_person_is_welcomed_once_with_what_they_may_do_in_a_direct_message(ledger: Ledger) -> None:
    one = made(ledger)
    assert await one.person(who(seed.MAYA, seed.ONCALL))
    assert not await one.person(who(seed.MAYA))
    delivery = await ledger.delivery(MessageKey.of("welcome", seed.MAYA))
    assert delivery is not None
    assert delivery.place == seed.MAYA
    said, lines = await shown(made(ledger), seed.MAYA)
    assert said.startswith("You may see the pod's state, acknowledge alerts and ask for repairs;")
    assert lines == ["status", "incidents", "help"]


async def test_roles_by_a_channel_do_not_count_in_a_direct_message(ledger: Ledger) -> None:
    one = made(ledger)
    await one.person(who(seed.SAM))
    assert await shown(one, seed.SAM) == (
        "No rule for direct messages gives you a role. In a channel you may have one.",
        ["whoami", "help"],
    )


async def test_a_channel_is_told_what_everybody_may_do(ledger: Ledger) -> None:
    one = made(ledger)
    assert await one.channel(seed.OPS)
    assert not await one.channel(seed.OPS)
    await one.channel(seed.GENERAL)
    assert "members of this workspace may see the pod's state." in (await shown(one, seed.OPS))[0]
    assert "gives nobody a role" in (await shown(one, seed.GENERAL))[0]


async def test_one_without_a_mark_is_not_needed(ledger: Ledger) -> None:
    assert await made(ledger).render(OutboxMessage(MessageKey.of("welcome", seed.JONAS), seed.JONAS)) is None


class Flaky:
    """Fails at first."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def person(self, who: Identity) -> bool:
        self.asked.append(who.user)
        if len(self.asked) == 1:
            raise Transient("locked")
        return True

    async def channel(self, id_: str) -> bool:
        self.asked.append(id_)
        return True


async def test_a_failure_is_tried_again_and_a_success_is_remembered() -> None:
    flaky = Flaky()
    greeting = Greeting(flaky)
    for _ in range(3):
        await greeting.person(who(seed.MAYA))
        await greeting.channel(seed.OPS)
    assert flaky.asked == [seed.MAYA, seed.OPS, seed.MAYA]


@pytest.mark.parametrize("membership", [Membership.OTHER, Membership.BOT, Membership.GONE, Membership.UNKNOWN])
async def test_nobody_but_the_team_s_own_is_welcomed(membership: Membership) -> None:
    flaky = Flaky()
    await Greeting(flaky).person(Identity(seed.LENA, membership=membership))
    await Greeting(None).person(who(seed.MAYA))
    assert flaky.asked == []
