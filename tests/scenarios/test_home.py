"""The app's Home tab: the dashboard, as it is for whoever looks, and what its buttons do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.house import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("home")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    rules = [
        {"role": "viewer", "users": [seed.MAYA]},
        {"role": "operator", "users": [seed.MAYA]},
        {"role": "approver", "users": [seed.PRIYA]},
    ]
    settings = {"access": {"rules": rules, "contact": "Priya"}, "probes": {"timeout": "5s"}}
    async with Sandbox(rate_limits=False, settings=settings, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


def shown(world: World, user: str) -> str:
    """All that the user's Home tab says."""
    view = world.workspace.home_of(user)
    return json.dumps(view.body["blocks"], ensure_ascii=False) if view is not None else ""


async def opens(world: World, user: str, text: str) -> None:
    """The user looks at the tab until it says that."""
    world.workspace.open_home(user)
    await until(lambda: text in shown(world, user), lambda: f"{shown(world, user)}\n{world.bot.output()[-2000:]}")


async def test_it_shows_the_verdict_and_the_heartbeats(world: World) -> None:
    await opens(world, seed.MAYA, "Heartbeats:")
    assert "✅ session-manager: up" in shown(world, seed.MAYA)
    assert "Waiting for" not in shown(world, seed.MAYA)


async def test_who_may_see_nothing_is_told_whom_to_ask(world: World) -> None:
    await opens(world, seed.SAM, "You may not run dashboard")
    assert "Ask Priya" in shown(world, seed.SAM)


async def test_what_waits_is_offered_to_whoever_may_decide_and_to_nobody_else(world: World) -> None:
    repair = await asked(world, 'restart --reason "from home"')
    await opens(world, seed.MAYA, "Waiting for somebody else")
    assert f"approve {repair.id}" not in shown(world, seed.MAYA)
    await opens(world, seed.PRIYA, "Waiting for your decision")
    assert f"Approve {repair.id}" in shown(world, seed.PRIYA)
    view = world.workspace.home_of(seed.PRIYA)
    assert view is not None
    await world.workspace.click_view(seed.PRIYA, view, "agentpod:run:0")
    await repair.shows("✅ Restarted")
    here = world.workspace.messages
    dm = seed.DMS[seed.PRIYA]
    await until(
        lambda: f"Approved: {repair.id}" in words(here(dm, seed.PRIYA)), lambda: words(here(dm, seed.PRIYA))
    )
    await until(lambda: "from home" not in shown(world, seed.PRIYA), lambda: shown(world, seed.PRIYA))


async def test_what_is_wrong_is_on_it_and_run_again_brings_it_up_to_date(world: World) -> None:
    await world.break_("pod-crash")
    await opens(world, seed.MAYA, "CrashLoopBackOff")
    view = world.workspace.home_of(seed.MAYA)
    assert view is not None
    before = len(world.workspace.messages(seed.DMS[seed.MAYA], seed.MAYA))
    await world.workspace.panel.heal()
    await world.workspace.click_view(seed.MAYA, view, "agentpod:again")
    await until(lambda: "CrashLoopBackOff" not in shown(world, seed.MAYA), lambda: shown(world, seed.MAYA))
    assert len(world.workspace.messages(seed.DMS[seed.MAYA], seed.MAYA)) == before, "it is the tab that changes"
