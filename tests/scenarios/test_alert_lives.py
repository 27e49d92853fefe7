"""Long-lived alerts of the real bot: reminders, an expired acknowledgement, escalation, flapping.

Run in the lively sandbox, whose time can be moved; each test follows its own alert to its end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.lives import adds, alerts, becomes, looks, says, stirs, thread
from tests.scenarios.repairs import APPROVE as FIRST_BUTTON
from tests.scenarios.talk import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("alert-lives")]
RULES = {"poll": "1s", "keep_firing": "1s", "pod_for": "5s", "flaps": 1, "flap_window": "10h"}
CRITICAL = "🔴 CRITICAL session-manager: no heartbeat since"
WELL = "✅ session-manager sends heartbeats again after"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, pod_seconds=0.0, lively=True, settings={"alerts": RULES}) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await looks(world)
        yield world


async def passes(world: World, *steps: str) -> None:
    """Let time pass in steps, with a poll of the bot after each."""
    for step in steps:
        await world.break_(f"time-{step}", None)
        await looks(world)


async def stops(world: World) -> None:
    """Stop the job and let an hour pass."""
    await world.break_("heartbeat-session-manager-stopped")
    await passes(world, "1h")


async def runs(world: World) -> None:
    """Let the job run again."""
    await world.break_("heartbeat-session-manager-stopped", False)
    await passes(world, "10m")


async def test_an_alert_reminds_and_resumes_when_its_acknowledgement_expires(house: World) -> None:
    await stops(house)
    message = await says(house, CRITICAL)
    await passes(house, "6h")
    await adds(house, message, "⏰ still so, for 6 h")
    await house.workspace.click(seed.MAYA, message, FIRST_BUTTON)
    await adds(house, message, "👀 acknowledged: no more reminders, until")
    await passes(house, "6h")
    assert thread(house, message)[-1].startswith("👀"), "no reminder meanwhile"
    await passes(house, "6h", "10m")
    await adds(house, message, "⏰ still so, for 18 h")
    assert "(acknowledged long ago, and still so)" in thread(house, message)[-1]
    again = await becomes(house, message, CRITICAL)
    done = await house.workspace.click(seed.JONAS, again, FIRST_BUTTON)
    assert (await house.final(lambda: done.messages)).first_line.startswith("👀 Yours: session-manager.")
    await runs(house)
    await becomes(house, message, f"{WELL} 19 h")
    await adds(house, message, WELL)
    assert [line[0] for line in thread(house, message)] == ["⏰", "👀", "⏰", "👀", "✅"]
    assert len(alerts(house, "session-manager")) == 1


async def test_an_escalation_is_reported_and_ends_the_acknowledgement(house: World) -> None:
    await house.break_("pod-oom", None)
    message = await says(house, "⚠️ WARNING secure-agent-pod: kali hit its memory limit (16Gi) at")
    await house.workspace.click(seed.MAYA, message, FIRST_BUTTON)
    await becomes(house, message, "👀 WARNING secure-agent-pod")
    await house.break_("pod-oom", None)
    await adds(house, message, "🔺 critical now: kali hit its memory limit (16Gi) 2 times")
    await becomes(house, message, "🔴 CRITICAL secure-agent-pod: kali hit its memory limit (16Gi) 2 times")
    for steps in (("10m", "10m"), ("10m",)):  # the pod recovers for good
        await passes(house, *steps)
        stirs(house)
    await becomes(house, message, "✅ secure-agent-pod is well again after")
    await adds(house, message, "✅")
    assert [line[0] for line in thread(house, message)] == ["👀", "🔺", "✅"]


async def test_a_flapping_job_is_reported_once_and_then_kept_quiet(house: World) -> None:
    await passes(house, "6h", "6h")  # earlier flaps are no longer counted
    await stops(house)
    first = await says(house, CRITICAL)
    await runs(house)
    await becomes(house, first, WELL)
    await stops(house)
    second = await says(house, "🔴 CRITICAL session-manager: comes and goes: no heartbeat since")
    assert second.ts != first.ts
    await runs(house)
    await becomes(house, second, "🌤️ session-manager sends heartbeats again: resolved if it stays so")
    await stops(house)
    await becomes(house, second, "🔴 CRITICAL session-manager: comes and goes")
    assert thread(house, second) == []
    await runs(house)
    await passes(house, "6h", "6h")
    await becomes(house, second, WELL)
    await adds(house, second, WELL)
    assert [line[0] for line in thread(house, second)] == ["✅"]


async def test_repeated_short_evictions_become_one_alert(house: World) -> None:
    await passes(house, "6h")
    for _ in range(8):
        await house.break_("pod-evict", None)
    message = await says(house, "🔴 CRITICAL secure-agent-pod: evicted")
    await becomes(house, message, "🔴 CRITICAL secure-agent-pod: evicted 8 times in 1 min, last at")
    assert len(alerts(house, "secure-agent-pod: evicted")) == 1
    for steps in (("10m", "10m"), ("10m",)):
        await passes(house, *steps)
        stirs(house)
    await becomes(house, message, "✅ secure-agent-pod is well again after")
