"""The pod's alerts end to end: the real bot, and a pretend pod with faults from the sandbox's panel."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.scenarios.lives import alerts, diagnosed
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World, until, words
from tests.scenarios.test_slack import button

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("pod-alerts")]
JOB = "quick-job"
BEATS = [{"job": JOB, "severity": "critical", "stale_after": "3s"}]
RULES = {
    "poll": "1s",
    "keep_firing": "0s",
    "pod_for": "0s",
    "outages": 20,
    "blind_after": 2,
    "remind": "1h",
    "flaps": 50,
    "crash_log": True,
}
SLOW = 5.0
"""Seconds that a restart of the pod takes: longer than the job may be silent."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    async with Sandbox(
        rate_limits=False, settings={"alerts": RULES}, target={"heartbeats": BEATS}, pod_seconds=SLOW
    ) as sandbox:
        beat(sandbox)
        # The disk is checked when a bot starts, and rarely after that.
        await sandbox.workspace.panel.apply("pod-disk-full", True)
        yield World(sandbox, await sandbox.start_bot())


def beat(sandbox: Sandbox) -> None:
    """Push the job's heartbeat."""
    gateway = sandbox.pushgateway
    gateway.push({"job": JOB}, gateway.clock())


async def says(world: World, text: str, patience: float = 30.0) -> Message:
    """Wait until a message contains ``text``, while the job keeps running."""

    def found() -> bool:
        beat(world.sandbox)
        return bool(alerts(world, text))

    await until(found, lambda: words(alerts(world)), patience)
    return alerts(world, text)[-1]


async def test_a_full_disk_is_an_incident_until_there_is_space(module_world: World) -> None:
    message = await says(module_world, "CRITICAL the disk of /home/claude is 97 % full")
    await module_world.break_("pod-disk-full", False)
    assert (await says(module_world, "✅ The disk of /home/claude is well again after")).ts == message.ts


async def test_a_missing_process_is_an_incident_until_it_runs_again(module_world: World) -> None:
    await module_world.break_("pod-kill-process", "vibe-kanban")
    message = await says(module_world, "CRITICAL vibe-kanban is not running")
    answer = await diagnosed(module_world, message, seed.JONAS)
    assert answer.ephemeral_for is None
    assert f"Asked by <@{seed.JONAS}>: /agentpod diagnose" in answer.all_text()
    assert "VibeKanban does not run" in answer.text
    await module_world.break_("pod-kill-process", "")
    assert (await says(module_world, "✅ vibe-kanban is well again after")).ts == message.ts


async def test_an_approved_restart_causes_no_alert_although_the_job_is_late(module_world: World) -> None:
    before = len(alerts(module_world))
    repair = await asked(module_world, 'restart --reason "a new image"')
    await repair.click(seed.JONAS)
    await repair.shows("✅ Restarted secure-agent-pod: ready after")  # no heartbeat is pushed meanwhile
    await says(module_world, repair.id)
    assert len(alerts(module_world)) == before + 1, words(alerts(module_world)[before:])


async def test_a_crash_s_alert_and_status_show_its_last_lines(module_world: World) -> None:
    await module_world.break_("pod-crash", True)
    message = await says(module_world, "before its restart")
    assert "kali" in message.text
    assert "[entrypoint] a required process exited, stopping the container" in message.all_text()
    operator = await module_world.ask("status", user=seed.MAYA)
    assert "[entrypoint] a required process exited, stopping the container" in operator.text
    private = operator.messages[0]
    await module_world.workspace.click(seed.MAYA, private, button(private, "Share in channel"))
    shared = await module_world.workspace.wait_message(
        seed.OPS, lambda m: "Log lines left out: others see this" in m.all_text(), user=seed.JONAS, timeout=15
    )
    assert "[entrypoint]" not in shared.all_text()
    await module_world.break_("kube-403", "pods/log")
    assert "Log of kali not shown: the bot may not get pods/log" in (await module_world.ask("status")).text
    await module_world.break_("kube-403", "")
    await module_world.break_("pod-crash", False)
