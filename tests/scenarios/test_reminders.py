"""A request that nobody decides on: the real bot brings it up again once, in its card's thread."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import DENY, Repair, asked
from tests.scenarios.talk import World, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("reminders")]
SETTINGS = {"approvals": {"expires_after": "30m", "remind_before": "15m"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, settings=SETTINGS, pod_seconds=0.0, lively=True) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


async def reminded(world: World, repair: Repair) -> str:
    """Let time pass until the reminder is in the thread; returns its text."""
    for _ in range(2):
        await world.break_("time-10m", None)
    await until(lambda: bool(repair.thread()), lambda: world.bot.output()[-2000:])
    return words(repair.thread())


async def test_it_is_brought_up_once_across_a_restart_and_then_shows_the_decision(module_world: World) -> None:
    repair = await asked(module_world, 'restart --reason "the new key"')
    said = await reminded(module_world, repair)
    assert "⏰ Restart of secure-agent-pod: expires in 9 min" in said
    assert all(f"<@{user}>" in said for user in (seed.JONAS, seed.PRIYA)), said
    await module_world.bot.stop()
    module_world.bot = await module_world.sandbox.start_bot()
    await module_world.workspace.click(seed.PRIYA, repair.card, DENY)
    view = await module_world.workspace.wait_view(seed.PRIYA)
    await module_world.workspace.submit_view(seed.PRIYA, view, {"reason": "not now"})
    await until(lambda: "denied" in words(repair.thread()), lambda: words(repair.thread()))
    assert len(repair.thread()) == 1
    assert "expires in" not in words(repair.thread())
