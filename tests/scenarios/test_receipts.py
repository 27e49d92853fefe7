"""The private answer to a request follows it, with the real bot: to its end, also across a restart of the bot."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.scenarios.repairs import APPROVE, DENY, Repair, id_in
from tests.scenarios.talk import World, is_final, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("receipts")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


async def posted(world: World, text: str) -> Repair:
    """The request that an answer is about, once its card is posted."""
    repair = Repair(world, id_in(text))
    await until(lambda: bool(repair.cards()), world.bot.output)
    return repair


async def becomes(receipts: list[Message], text: str, world: World) -> Message:
    """Wait until the receipt contains ``text``."""
    await until(lambda: text in words(receipts), lambda: f"{words(receipts)!r}\n{world.bot.output()[-1500:]}")
    assert len(receipts) == 1, "one message, updated in place"
    return receipts[0]


async def test_the_receipt_of_a_command_links_its_card_and_says_how_it_ends(module_world: World) -> None:
    world = module_world
    done = await world.workspace.slash(seed.MAYA, seed.OPS, "/agentpod", 'restart --reason "new key"')
    answer = await world.final(lambda: done.messages)
    assert "waits for an approver" in answer.first_line
    repair = await posted(world, answer.text)
    await becomes(done.messages, "Card", world)
    await repair.click(seed.JONAS, APPROVE)
    receipt = await becomes(done.messages, "✅ Restarted", world)
    assert f"Approved by: @{seed.JONAS}" in receipt.all_text() or seed.JONAS in str(receipt.blocks)
    assert "waits" not in receipt.all_text()
    assert receipt.ephemeral_for == seed.MAYA
    [url] = [u for u in world.workspace.core.urls._urls.values() if receipt in u.messages]
    assert url.uses <= 5


async def test_a_receipt_follows_across_a_killed_bot(module_world: World) -> None:
    world = module_world
    done = await world.workspace.slash(seed.MAYA, seed.OPS, "/agentpod", 'restart --reason "again"')
    repair = await posted(world, (await world.final(lambda: done.messages)).text)
    await becomes(done.messages, "Card", world)
    await world.bot.stop(signal.SIGKILL)
    world.bot = await world.sandbox.start_bot()
    clicked = await world.workspace.click(seed.PRIYA, repair.card, DENY)
    assert clicked.ok
    await until(lambda: world.workspace.view_of(seed.PRIYA) is not None, world.bot.output)
    view = world.workspace.view_of(seed.PRIYA)
    assert view is not None
    await world.workspace.submit_view(seed.PRIYA, view, {"reason": "not now"})
    await becomes(done.messages, "denied", world)


async def test_the_receipt_of_a_form_follows_too(module_world: World) -> None:
    world = module_world
    done = await world.workspace.slash(seed.MAYA, seed.OPS, "/agentpod", "restart")
    await until(lambda: world.workspace.view_of(seed.MAYA) is not None, world.bot.output)
    form = world.workspace.view_of(seed.MAYA)
    assert form is not None
    await world.workspace.submit_view(seed.MAYA, form, {"reason": "by form"})
    await becomes(done.messages, "waits for an approver", world)
    repair = await posted(world, words(done.messages))
    await world.ask(f"withdraw {repair.id}")
    await becomes(done.messages, "withdrawn", world)


async def test_a_request_in_a_direct_message_is_followed_there(module_world: World) -> None:
    world = module_world
    asked = world.workspace.dm(seed.MAYA, 'restart --reason "from my phone"')

    def answers() -> list[Message]:
        here = world.workspace.messages(seed.DMS[seed.MAYA], seed.MAYA)
        found = [m for m in here if float(m.ts) > float(asked.ts) and m.user == seed.BOT_USER]
        return [m for m in found if "Restart of" in m.all_text()][:1]

    await until(lambda: is_final(answers()), lambda: words(answers()))
    repair = await posted(world, words(answers()))
    await world.ask(f"withdraw {repair.id}")
    await until(lambda: "withdrawn" in words(answers()), lambda: words(answers()))
