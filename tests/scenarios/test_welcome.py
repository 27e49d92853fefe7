"""The welcome: at a person's first message or first Home tab, and in a channel that the bot joins; each once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.scenarios.talk import World, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("welcome")]
HELLO, JOINED = "👋 I'm agentpod.", "👋 agentpod is in this channel now"
RULES = [
    {"role": "operator", "users": [seed.MAYA]},
    {"role": "viewer", "channels": [seed.RANDOM], "name": "random"},
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    settings = {"access": {"rules": RULES, "contact": "Priya"}, "slack": {"channel": seed.OPS, "welcome": True}}
    async with Sandbox(rate_limits=False, settings=settings, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


def welcomes(world: World, channel: str, text: str = HELLO) -> list[Message]:
    return [m for m in world.workspace.messages(channel) if text in m.text]


def labels(message: Message) -> list[str]:
    return [e["text"]["text"] for b in message.blocks or [] if b["type"] == "actions" for e in b["elements"]]


async def answered(world: World, user: str, text: str = "whoami") -> None:
    """Write to the bot, and wait for its answer."""
    before = len(world.workspace.messages(seed.DMS[user], user))
    world.workspace.dm(user, text)
    await until(lambda: len(world.workspace.messages(seed.DMS[user], user)) > before + 1, world.bot.output)


async def test_the_first_message_is_welcomed_once_also_after_a_restart(world: World) -> None:
    await answered(world, seed.MAYA)
    await until(lambda: bool(welcomes(world, seed.DM_MAYA)), world.bot.output)
    [hello] = welcomes(world, seed.DM_MAYA)
    assert "You may see the pod's state, acknowledge alerts and ask for repairs" in hello.all_text()
    assert labels(hello) == ["Status", "Incidents", "Help"]
    await answered(world, seed.MAYA)
    await world.bot.stop()
    world.bot = await world.sandbox.start_bot()
    await answered(world, seed.MAYA)
    world.workspace.open_home(seed.MAYA)
    await until(lambda: world.workspace.home_of(seed.MAYA) is not None, world.bot.output)
    await answered(world, seed.SAM)
    await until(lambda: bool(welcomes(world, seed.DM_SAM)), world.bot.output)
    assert len(welcomes(world, seed.DM_MAYA)) == 1
    [hello] = welcomes(world, seed.DM_SAM)
    assert "gives you a role" in hello.all_text()
    assert "Ask Priya for one." in hello.all_text()
    assert labels(hello) == ["Who am I?", "Help"]


async def test_the_first_home_tab_is_welcomed_and_its_buttons_work(world: World) -> None:
    world.workspace.open_home(seed.PRIYA)
    await until(lambda: bool(welcomes(world, seed.DM_PRIYA)), world.bot.output)
    [hello] = welcomes(world, seed.DM_PRIYA)
    done = await world.workspace.click(seed.PRIYA, hello, "agentpod:run:0")
    assert done.ok
    await until(
        lambda: "You have no role here" in words(world.workspace.messages(seed.DM_PRIYA)), world.bot.output
    )


async def test_people_of_another_company_are_not_welcomed(world: World) -> None:
    await answered(world, seed.LENA)
    await answered(world, seed.JONAS)
    await until(lambda: bool(welcomes(world, seed.DM_JONAS)), world.bot.output)
    assert not welcomes(world, seed.DM_LENA)


async def test_a_channel_that_the_bot_joins_is_welcomed_once(world: World) -> None:
    world.workspace.invite(seed.MAYA, seed.RANDOM)
    await until(lambda: bool(welcomes(world, seed.RANDOM, JOINED)), world.bot.output)
    [hello] = welcomes(world, seed.RANDOM, JOINED)
    assert "Here, members of this workspace may see the pod's state." in hello.all_text()
    assert labels(hello) == ["Status", "Who am I?", "Help"]
    members = world.workspace.store.channels[seed.RANDOM].members
    members.remove(seed.BOT_USER)
    world.workspace.invite(seed.MAYA, seed.RANDOM)
    world.workspace.events.joined(seed.GIL, world.workspace.store.channels[seed.GENERAL], seed.MAYA)
    await answered(world, seed.MAYA)
    assert len(welcomes(world, seed.RANDOM, JOINED)) == 1
    assert not welcomes(world, seed.GENERAL, JOINED)
