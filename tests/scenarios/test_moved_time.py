"""An alert's whole life within a minute, in the lively sandbox whose time the panel moves."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.slack import seed
from tests.scenarios.lives import alerts, lively, says, wait_for_poll
from tests.scenarios.repairs import APPROVE as FIRST_BUTTON
from tests.scenarios.talk import World, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("moved-time")]
CRITICAL = "🔴 CRITICAL session-manager: no heartbeat since"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    async with lively() as world:
        yield world


async def test_a_stale_heartbeat_is_reported_acknowledged_and_resolved_with_its_duration(
    module_world: World,
) -> None:
    await module_world.break_("heartbeat-session-manager-stopped")
    await module_world.break_("time-1h", None)
    message = await says(module_world, CRITICAL)
    await module_world.workspace.click(seed.MAYA, message, FIRST_BUTTON)
    await says(module_world, "👀 CRITICAL session-manager")
    await module_world.break_("heartbeat-session-manager-stopped", False)
    await module_world.break_("time-10m", None)
    last = await says(module_world, "✅ session-manager sends heartbeats again after")
    assert [m.ts for m in alerts(module_world)] == [message.ts]
    assert last.ts == message.ts
    assert re.search(r"after being overdue for 1 h( \d min)?$", last.text.splitlines()[0]), last.text


@pytest.mark.parametrize(
    ("clock", "said"), [("3600", "clock skew: its time was"), ("-3600", "its time went back by")]
)
async def test_a_wrong_clock_in_the_pod_is_reported_without_an_alert(
    module_world: World, clock: str, said: str
) -> None:
    before = len(alerts(module_world))
    await module_world.break_("heartbeat-clock", clock)
    for step in ("time-10m", "time-1h"):
        await wait_for_poll(module_world)
        assert re.search(f"up, due in .*: {said} ", (await module_world.ask("heartbeats")).text)
        await module_world.break_(step, None)
    await wait_for_poll(module_world)
    await module_world.break_("heartbeat-clock", "")
    await wait_for_poll(module_world)
    shown = (await module_world.ask("heartbeats")).text
    assert said not in shown.replace(f"{said} 1 s;", ""), (
        "a push in the very second of the change goes back by one"
    )
    assert len(alerts(module_world)) == before, words(alerts(module_world))
