"""Alerts end to end: the real bot, a Pushgateway that jobs push to, and clicks in Slack."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.scenarios.lives import alerts, diagnosed, thread
from tests.scenarios.repairs import APPROVE as FIRST_BUTTON
from tests.scenarios.talk import World, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("alerts")]
JOB = "quick-job"
BEATS = [{"job": JOB, "severity": "critical", "stale_after": "3s"}]
RULES = {"poll": "1s", "keep_firing": "1s", "pod_for": "0s", "blind_after": 2, "remind": "1h", "flaps": 50}
SNOOZE = "agentpod:run:menu0"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    async with Sandbox(
        rate_limits=False, settings={"alerts": RULES}, target={"heartbeats": BEATS}, pod_seconds=0.0
    ) as sandbox:
        sandbox.pushgateway.push({"job": JOB}, sandbox.pushgateway.clock())
        yield World(sandbox, await sandbox.start_bot())


def beat(world: World) -> None:
    """Push the job's heartbeat."""
    gateway = world.sandbox.pushgateway
    gateway.push({"job": JOB}, gateway.clock())


async def fires(world: World) -> Message:
    """Wait for the job's new alert."""
    await until(lambda: bool(alerts(world, f"CRITICAL {JOB}")), world.bot.output)
    return alerts(world, f"CRITICAL {JOB}")[-1]


async def recovers(world: World) -> Message:
    """Let the job run until the alert is resolved."""

    def resolved() -> bool:
        beat(world)
        return not alerts(world, f"CRITICAL {JOB}") and not alerts(world, f"{JOB} sends heartbeats again, ")

    await until(resolved, lambda: words(alerts(world)))
    return alerts(world, f"{JOB} sends heartbeats again after")[-1]


def pending_messages(world: World) -> int:
    """The number of pending messages in the ledger."""
    with closing(sqlite3.connect(world.sandbox.folder / "agentpod.db")) as database:
        return int(database.execute("SELECT count(*) FROM deliveries WHERE wanted > shown").fetchone()[0])


async def test_an_alert_is_acknowledged_snoozed_and_resolved_in_place(module_world: World) -> None:
    message = await fires(module_world)
    done = await module_world.workspace.click(seed.MAYA, message, FIRST_BUTTON)
    answer = await module_world.final(lambda: done.messages)
    assert answer.first_line.startswith(f"👀 Acknowledged: {JOB}.")
    await until(lambda: bool(alerts(module_world, f"👀 CRITICAL {JOB}")), lambda: words(alerts(module_world)))
    message = alerts(module_world, f"👀 CRITICAL {JOB}")[-1]
    [menu] = [e for b in message.blocks for e in b.get("elements", ()) if e.get("type") == "static_select"]
    done = await module_world.workspace.click(seed.MAYA, message, SNOOZE, selected_option=menu["options"][0])
    answer = await module_world.final(lambda: done.messages)
    assert answer.first_line.startswith(f"💤 {JOB} is snoozed until")
    await until(lambda: bool(alerts(module_world, f"💤 CRITICAL {JOB}")), lambda: words(alerts(module_world)))
    last = await recovers(module_world)
    assert last.ts == message.ts
    [report] = [e for b in last.blocks if b["type"] == "actions" for e in b["elements"]]
    assert report["text"]["text"] == "Report"
    await until(lambda: len(thread(module_world, message)) == 3, lambda: f"{thread(module_world, message)}")
    assert [line[:1] for line in thread(module_world, message)] == ["👀", "💤", "✅"]
    await reported(module_world, last, report["action_id"])


async def reported(world: World, message: Message, button: str) -> None:
    """Click a resolved alert's *Report*: the answer in its thread cites its records, and has all as a file."""
    await world.workspace.click(seed.MAYA, message, button)

    def answers() -> list[Message]:
        below = world.workspace.messages(seed.OPS, thread_ts=message.ts)
        return [m for m in below if (f"CRITICAL {JOB}: " in m.all_text() and ", over after" in m.all_text())]

    await until(lambda: bool(answers()), world.bot.output)
    text = answers()[-1].all_text().replace("\n", "")
    for said in (
        "The alert was sent",
        "acknowledged the incident · record",
        "snoozed the incident · record",
        "Resolved · notice",
    ):
        assert said in text


async def test_a_user_without_the_role_is_refused_an_acknowledgement(module_world: World) -> None:
    message = await fires(module_world)
    done = await module_world.workspace.click(seed.SAM, message, FIRST_BUTTON)
    answer = await module_world.final(lambda: done.messages)
    assert "You may not run ack" in answer.text
    assert "🔴" in alerts(module_world, f"CRITICAL {JOB}")[-1].text
    await recovers(module_world)


async def test_diagnose_on_a_job_s_alert_names_the_cause_in_the_alert_s_thread(module_world: World) -> None:
    message = await fires(module_world)
    await module_world.break_("pod-kill-process", "supercronic")
    answer = await diagnosed(module_world, message, seed.JONAS)
    assert answer.ephemeral_for is None
    assert "supercronic does not run, so no job runs" in answer.text
    assert f"Asked by <@{seed.JONAS}>: /agentpod diagnose --first cron" in answer.all_text()
    await module_world.break_("pod-kill-process", "")
    await recovers(module_world)


async def test_a_killed_bot_neither_repeats_nor_loses_notifications(module_world: World) -> None:
    message = await fires(module_world)
    await until(
        lambda: pending_messages(module_world) == 0, module_world.bot.output
    )  # an unrecorded post is repeated
    before = len(alerts(module_world))
    for _ in range(2):
        await module_world.bot.stop(signal.SIGKILL)
        module_world.bot = await module_world.sandbox.start_bot()
    await module_world.bot.stop(signal.SIGKILL)
    beat(module_world)
    module_world.bot = await module_world.sandbox.start_bot()
    last = await recovers(module_world)
    assert last.ts == message.ts
    assert len(alerts(module_world)) == before
    await until(lambda: len(thread(module_world, message)) == 1, lambda: f"{thread(module_world, message)}")


async def test_an_unreachable_gateway_is_one_message_and_no_job_is_stale(module_world: World) -> None:
    before = len(alerts(module_world))
    await module_world.break_("pushgateway-down")
    await until(lambda: bool(alerts(module_world, "the Pushgateway can't be reached")), module_world.bot.output)
    await module_world.break_("pushgateway-down", False)

    def back() -> bool:
        beat(module_world)
        return bool(alerts(module_world, "✅ The Pushgateway can be reached again"))

    await until(back, lambda: words(alerts(module_world)))
    assert len(alerts(module_world)) == before + 1


async def test_an_alert_that_slack_refuses_is_posted_once_slack_accepts_it(module_world: World) -> None:
    before = len(alerts(module_world))
    await until(lambda: pending_messages(module_world) == 0, module_world.bot.output)
    await module_world.break_("slack-500")
    await until(lambda: pending_messages(module_world) > 0, module_world.bot.output)
    assert len(alerts(module_world)) == before
    await module_world.break_("slack-500", False)
    message = await fires(module_world)
    assert len(alerts(module_world)) == before + 1
    assert (await recovers(module_world)).ts == message.ts


async def test_a_crash_loop_is_an_incident_and_incidents_lists_it(module_world: World) -> None:
    await module_world.break_("pod-crash")
    await until(lambda: bool(alerts(module_world, "CRITICAL secure-agent-pod")), module_world.bot.output)
    listed = await module_world.ask("incidents")
    assert "CRITICAL" in listed.first_line
    assert "CRITICAL secure-agent-pod" in listed.text
    await module_world.break_("pod-crash", False)
    await until(lambda: not alerts(module_world, "CRITICAL secure-agent-pod"), lambda: words(alerts(module_world)))


async def test_a_pending_alert_is_rerouted_when_the_settings_name_another_channel(
    module_world: World,
) -> None:
    beat(module_world)
    await module_world.bot.stop()
    before = len(alerts(module_world))
    module_world.bot = await module_world.sandbox.start_bot(AGENTPOD_SLACK__CHANNEL=seed.RANDOM)
    await until(
        lambda: "not_in_channel" in module_world.bot.output() and pending_messages(module_world) > 0,
        module_world.bot.output,
    )
    await module_world.says("incidents", f"CRITICAL {JOB}")  # pending messages may be about the pod
    await module_world.bot.stop()
    module_world.bot = await module_world.sandbox.start_bot()
    message = await fires(module_world)
    assert len(alerts(module_world)) == before + 1
    assert (await recovers(module_world)).ts == message.ts
