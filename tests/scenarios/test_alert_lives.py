"""Long-lived alerts of the real bot: reminders, an expired acknowledgement, escalation, flapping.

Run in the lively sandbox, whose time can be moved; each test follows its own alert to its end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.lives import adds, alerts, becomes, says, thread, touch_pod, wait_for_poll
from tests.scenarios.repairs import APPROVE as FIRST_BUTTON
from tests.scenarios.talk import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("alert-lives")]
RULES = {"poll": "1s", "keep_firing": "1s", "pod_for": "5s", "flaps": 1, "flap_window": "10h"}
CRITICAL = "🔴 CRITICAL session-manager: no heartbeat since"
WELL = "✅ session-manager sends heartbeats again after being overdue for"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, pod_seconds=0.0, lively=True, settings={"alerts": RULES}) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await wait_for_poll(world)
        yield world


async def passes(world: World, *steps: str) -> None:
    """Let time pass in steps, with a poll of the bot after each."""
    for step in steps:
        await world.break_(f"time-{step}", None)
        await wait_for_poll(world)


async def stops(world: World) -> None:
    """Stop the job and let an hour pass."""
    await world.break_("heartbeat-session-manager-stopped")
    await passes(world, "1h")


async def runs(world: World) -> None:
    """Let the job run again."""
    await world.break_("heartbeat-session-manager-stopped", False)
    await passes(world, "10m")


async def test_an_alert_reminds_and_resumes_when_its_acknowledgement_expires(module_world: World) -> None:
    await stops(module_world)
    message = await says(module_world, CRITICAL)
    await passes(module_world, "6h")
    await adds(module_world, message, "⏰ Still firing, overdue for 6 h")
    await module_world.workspace.click(seed.MAYA, message, FIRST_BUTTON)
    await adds(module_world, message, "👀 Acknowledged, no more reminders until")
    await passes(module_world, "6h")
    assert thread(module_world, message)[-1].startswith("👀"), "no reminder meanwhile"
    await passes(module_world, "6h", "10m")
    await adds(module_world, message, "⏰ Still firing, overdue for 18 h")
    assert "(its acknowledgement has expired)" in thread(module_world, message)[-1]
    again = await becomes(module_world, message, CRITICAL)
    done = await module_world.workspace.click(seed.JONAS, again, FIRST_BUTTON)
    assert (await module_world.final(lambda: done.messages)).first_line.startswith(
        "👀 Acknowledged: session-manager."
    )
    await runs(module_world)
    await becomes(module_world, message, f"{WELL} 19 h")
    await adds(module_world, message, WELL)
    assert [line[0] for line in thread(module_world, message)] == ["⏰", "👀", "⏰", "👀", "✅"]
    assert len(alerts(module_world, "session-manager")) == 1


async def test_an_escalation_is_reported_and_ends_the_acknowledgement(module_world: World) -> None:
    await module_world.break_("pod-oom", None)
    message = await says(module_world, "⚠️ WARNING secure-agent-pod: kali hit its memory limit (16Gi) at")
    await module_world.workspace.click(seed.MAYA, message, FIRST_BUTTON)
    await becomes(module_world, message, "👀 WARNING secure-agent-pod")
    await module_world.break_("pod-oom", None)
    await adds(
        module_world, message, "🔺 Now critical: secure-agent-pod: kali hit its memory limit (16Gi) 2 times"
    )
    await becomes(module_world, message, "🔴 CRITICAL secure-agent-pod: kali hit its memory limit (16Gi) 2 times")
    for steps in (("10m", "10m"), ("10m",)):  # the pod recovers for good
        await passes(module_world, *steps)
        touch_pod(module_world)
    await becomes(module_world, message, "✅ secure-agent-pod has settled down after")
    await adds(module_world, message, "✅")
    assert [line[0] for line in thread(module_world, message)] == ["👀", "🔺", "✅"]


async def test_a_flapping_job_is_reported_once_and_then_kept_quiet(module_world: World) -> None:
    await passes(module_world, "6h", "6h")  # earlier flaps are no longer counted
    await stops(module_world)
    first = await says(module_world, CRITICAL)
    await runs(module_world)
    await becomes(module_world, first, WELL)
    await stops(module_world)
    second = await says(module_world, "🔴 CRITICAL flapping: session-manager: no heartbeat since")
    assert second.ts != first.ts
    await runs(module_world)
    await becomes(module_world, second, "🌤️ session-manager sends heartbeats again, resolved if it stays so")
    await stops(module_world)
    await becomes(module_world, second, "🔴 CRITICAL flapping: session-manager")
    assert thread(module_world, second) == []
    await runs(module_world)
    await passes(module_world, "6h", "6h")
    await becomes(module_world, second, WELL)
    await adds(module_world, second, WELL)
    assert [line[0] for line in thread(module_world, second)] == ["✅"]


async def test_repeated_short_evictions_become_one_alert(module_world: World) -> None:
    await passes(module_world, "6h")
    for _ in range(8):
        await module_world.break_("pod-evict", None)
    message = await says(module_world, "🔴 CRITICAL secure-agent-pod: evicted")
    await becomes(module_world, message, "🔴 CRITICAL secure-agent-pod: evicted 8 times in 1 min, last at")
    assert len(alerts(module_world, "secure-agent-pod: evicted")) == 1
    for steps in (("10m", "10m"), ("10m",)):
        await passes(module_world, *steps)
        touch_pod(module_world)
    await becomes(module_world, message, "✅ secure-agent-pod has settled down after")
