"""Approvers get a direct message with working buttons; the real bot keeps it up to date."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.scenarios.repairs import APPROVE, Repair, asked
from tests.scenarios.talk import World, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("approver-messages")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, settings={"probes": {"timeout": "5s"}}, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


def about(world: World, repair: Repair, user: str) -> list[Message]:
    """The direct messages to a user about a request."""
    return [m for m in world.workspace.messages(seed.DMS[user], user) if repair.id in m.all_text()]


async def messaged(world: World, repair: Repair, user: str, text: str = "needs approval") -> Message:
    """Wait for the direct message to an approver, and for it to contain ``text``."""
    await until(
        lambda: any(text in words([m]) for m in about(world, repair, user)),
        lambda: f"{words(about(world, repair, user))}; {world.bot.output()[-2000:]}",
    )
    return about(world, repair, user)[0]


def buttons(message: Message) -> list[str]:
    """The labels of what runs something; a link to the card may stand beside it."""
    elements = [e for b in message.blocks if b["type"] == "actions" for e in b["elements"]]
    return [e["text"]["text"] for e in elements if "url" not in e]


async def test_an_approver_approves_from_the_message_and_no_stale_button_stays(module_world: World) -> None:
    world = module_world
    repair = await asked(world, 'restart --reason "the new key"')
    one, two = await messaged(world, repair, seed.JONAS), await messaged(world, repair, seed.PRIYA)
    assert buttons(one) == buttons(two) == ["Approve", "Deny"]
    assert all(part in str(one.blocks) for part in ("the new key", seed.OPS, seed.MAYA)), one.blocks
    elements = [e for b in one.blocks if b["type"] == "actions" for e in b["elements"]]
    assert [e["text"]["text"] for e in elements if "confirm" in e] == ["Approve"]
    assert (await world.workspace.click(seed.PRIYA, two, APPROVE)).ok
    for user in (seed.JONAS, seed.PRIYA):
        after = await messaged(world, repair, user, "✅ Restarted")
        assert buttons(after) == []
    await repair.shows("✅ Restarted")
    assert not [m for m in about(world, repair, seed.MAYA) if "needs approval" in m.all_text()]
    assert len(about(world, repair, seed.JONAS)) == 1


async def test_a_click_in_the_message_obeys_the_same_rules(module_world: World) -> None:
    """Jonas asks for the same as Maya. Then he may only deny, with a reason."""
    world = module_world
    repair = await asked(world, 'restart --reason "again"')
    mine = await messaged(world, repair, seed.JONAS)
    assert repair.id in (await world.ask('restart --reason "me too"', seed.JONAS)).text
    await until(lambda: buttons(mine) == ["Deny"], lambda: f"{buttons(mine)}")
    assert "You asked for the same" in words([mine])
    await world.workspace.click(seed.JONAS, mine, APPROVE)  # the first button, which is Deny now
    view = await world.workspace.wait_view(seed.JONAS)
    await world.workspace.submit_view(seed.JONAS, view, {"reason": "a job is running"})
    await repair.shows("⛔")
    after = await messaged(world, repair, seed.PRIYA, "denied")
    assert buttons(after) == []
    assert "a job is running" in words([after])
    late = await world.ask(f"approve {repair.id}", seed.PRIYA)
    assert late.first_line == "Too late: Restart of secure-agent-pod was already denied"


async def test_a_bot_that_is_restarted_sends_none_again(module_world: World) -> None:
    world = module_world
    repair = await asked(world, 'restart --reason "third"')
    await messaged(world, repair, seed.JONAS)
    await world.bot.stop()
    world.bot = await world.sandbox.start_bot()
    await world.ask(f'deny {repair.id} --reason "no"', seed.PRIYA)
    await messaged(world, repair, seed.JONAS, "denied")
    assert len(about(world, repair, seed.JONAS)) == 1
