"""`heartbeats push` where it needs approval: one person asks, another approves, and the real bot pushes once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-heartbeats-by-hand")]
LINE = "heartbeats push audit_digest context=desk --reason 'it ran by hand'"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    settings = {"approvals": {"heartbeats_push": "approval"}}
    async with Sandbox(rate_limits=False, settings=settings) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


async def shown(world: World) -> str:
    """What the Pushgateway has of the group."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{world.sandbox.pushgateway.url}/metrics") as answer,
    ):
        return "\n".join(line for line in (await answer.text()).splitlines() if 'context="desk"' in line)


async def test_an_approved_heartbeat_is_pushed_and_marked(module_world: World) -> None:
    world = module_world
    assert "Yes" in (await world.ask("can-i heartbeats push")).first_line
    repair = await asked(world, LINE)
    assert repair.card.text.startswith("✋ Heartbeat of audit_digest (context=desk) by hand: needs approval")
    assert "never seen" in repair.card.all_text()
    assert await shown(world) == ""
    assert "it needs the role approver" in (await repair.click(seed.MAYA)).text
    await repair.click(seed.JONAS)
    await repair.shows("✅ Pushed a heartbeat for audit_digest (context=desk) by hand")
    assert "agentpod_manual_push_time_seconds" in await shown(world)
    assert "by hand" in (await world.ask("heartbeats")).text


async def test_an_approver_needs_another_one(module_world: World) -> None:
    repair = await asked(module_world, "heartbeats push session_manager --reason x", user=seed.JONAS)
    assert "Four eyes" in (await repair.click(seed.JONAS)).text
    await repair.click(seed.PRIYA)
    await repair.shows("✅ Pushed a heartbeat for session_manager by hand")


async def test_who_may_not_ask_is_refused(module_world: World) -> None:
    told = await module_world.ask(LINE, user=seed.SAM)
    assert told.first_line.startswith("You may not run heartbeats push")


async def test_a_dry_run_shows_the_push(module_world: World) -> None:
    told = await module_world.ask(LINE + " --dry-run")
    assert "/metrics/job/audit_digest/context/desk" in told.text
    assert "agentpod_manual_push_time_seconds" in told.text
