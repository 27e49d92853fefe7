"""An alert's whole life within a minute, in the lively sandbox whose time the panel moves."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.lives import alerts, looks, says
from tests.scenarios.repairs import APPROVE as FIRST_BUTTON
from tests.scenarios.talk import World, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("moved-time")]
QUICK = {"poll": "1s", "keep_firing": "1s", "pod_for": "30s"}
"""The lively sandbox's settings, but faster."""
CRITICAL = "🔴 CRITICAL session-manager: no heartbeat since"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, pod_seconds=0.0, lively=True, settings={"alerts": QUICK}) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await looks(world)
        yield world


async def test_a_stale_heartbeat_is_reported_acknowledged_and_resolved_with_its_duration(house: World) -> None:
    await house.break_("heartbeat-session-manager-stopped")
    await house.break_("time-1h", None)
    message = await says(house, CRITICAL)
    await house.workspace.click(seed.MAYA, message, FIRST_BUTTON)
    await says(house, "👀 CRITICAL session-manager")
    await house.break_("heartbeat-session-manager-stopped", False)
    await house.break_("time-10m", None)
    last = await says(house, "✅ session-manager sends heartbeats again after")
    assert [m.ts for m in alerts(house)] == [message.ts]
    assert last.ts == message.ts
    assert re.search(r"after 1 h( \d min)?$", last.text.splitlines()[0]), last.text


@pytest.mark.parametrize(
    ("clock", "said"), [("3600", "clock skew: its time was"), ("-3600", "its time went back by")]
)
async def test_a_wrong_clock_in_the_pod_is_reported_without_an_alert(house: World, clock: str, said: str) -> None:
    before = len(alerts(house))
    await house.break_("heartbeat-clock", clock)
    for step in ("time-10m", "time-1h"):
        await looks(house)
        assert re.search(f"up, due in .*: {said} ", (await house.ask("heartbeats")).text)
        await house.break_(step, None)
    await looks(house)
    await house.break_("heartbeat-clock", "")
    await looks(house)
    assert said not in (await house.ask("heartbeats")).text
    assert len(alerts(house)) == before, words(alerts(house))
