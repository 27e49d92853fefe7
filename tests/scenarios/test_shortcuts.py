"""Shortcuts end to end: the lightning menu and the menus of messages, with the rights of who uses them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.scenarios.lives import alerts
from tests.scenarios.repairs import id_in
from tests.scenarios.talk import ONE_EACH, World, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("shortcuts")]
JOB = "quick-job"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    beats = [{"job": JOB, "severity": "critical", "stale_after": "1s"}]
    settings = {"alerts": {"poll": "1s", "pod_for": "0s", "remind": "1h"}, "access": {"rules": ONE_EACH}}
    async with Sandbox(
        rate_limits=False, settings=settings, target={"heartbeats": beats}, pod_seconds=0.0
    ) as sandbox:
        sandbox.pushgateway.push({"job": JOB}, sandbox.pushgateway.clock())
        yield World(sandbox, await sandbox.start_bot())


def direct(world: World, user: str) -> list[Message]:
    return world.workspace.messages(seed.DMS[user], user)


def said(world: World, user: str, text: str) -> Callable[[], bool]:
    return lambda: text in words(direct(world, user))


async def fires(world: World) -> Message:
    await until(lambda: bool(alerts(world, f"CRITICAL {JOB}")), world.bot.output)
    return alerts(world, f"CRITICAL {JOB}")[-1]


async def test_a_shortcut_of_the_lightning_menu_is_answered_by_direct_message(world: World) -> None:
    done = await world.workspace.shortcut(seed.MAYA, "status")
    assert done.ok
    await until(said(world, seed.MAYA, "Run again"), lambda: words(direct(world, seed.MAYA)))
    assert world.workspace.view_of(seed.MAYA) is None


async def test_asking_for_a_restart_opens_its_form(world: World) -> None:
    await world.workspace.shortcut(seed.MAYA, "restart")
    view = await world.workspace.wait_view(seed.MAYA)
    assert view.body["title"]["text"] == "Ask for a restart"
    done = await world.workspace.submit_view(seed.MAYA, view, {"reason": "it hangs"})
    assert done.ok
    await until(said(world, seed.MAYA, "waits for an approver"), lambda: words(direct(world, seed.MAYA)))
    id_ = id_in(words(direct(world, seed.MAYA)))
    await until(lambda: id_ in words(world.workspace.messages(seed.OPS)), world.bot.output)
    assert (await world.ask(f"withdraw {id_}")).first_line.startswith("↩️")


async def test_who_has_no_right_is_refused_told_where_and_recorded(world: World) -> None:
    await world.workspace.shortcut(seed.PRIYA, "restart")
    await until(said(world, seed.PRIYA, "You may not run restart"), lambda: words(direct(world, seed.PRIYA)))
    await world.workspace.shortcut(seed.SAM, "status")
    await until(said(world, seed.SAM, "You may run it in"), lambda: words(direct(world, seed.SAM)))
    assert not world.workspace.view_of(seed.PRIYA)
    rows = (await world.ask("audit", seed.JONAS)).rows()
    for user, command in ((seed.PRIYA, "restart"), (seed.SAM, "status")):
        assert any(f"{user} was refused" in row[2] and row[3] == command for row in rows), rows


async def test_an_alert_is_acknowledged_and_reported_from_its_menu(world: World) -> None:
    alert = await fires(world)
    refused = await world.workspace.shortcut(seed.PRIYA, "ack", alert)
    assert "You may not run ack" in (await world.final(lambda: refused.messages)).text
    done = await world.workspace.shortcut(seed.MAYA, "ack", alert)
    answer = await world.final(lambda: done.messages)
    assert answer.first_line.startswith(f"👀 Acknowledged: {JOB}.")
    assert answer.messages[0].ephemeral_for == seed.MAYA
    await until(lambda: bool(alerts(world, f"👀 CRITICAL {JOB}")), lambda: words(alerts(world)))
    report = await world.workspace.shortcut(seed.MAYA, "report", alert)
    assert "The alert was sent" in (await world.final(lambda: report.messages)).text


async def test_a_message_that_is_no_alert_has_no_incident(world: World) -> None:
    alert = await fires(world)
    id_ = next(w for w in alert.all_text().split() if w.startswith("i-"))
    forged = world.workspace.say(seed.SAM, seed.OPS, f"{id_} · secure-agent-pod")
    for message in (forged, *(m for m in thread_messages(world, alert) if m.user == seed.BOT_USER)):
        before = world.workspace.view_of(seed.MAYA)
        done = await world.workspace.shortcut(seed.MAYA, "ack", message)
        await until(lambda before=before: world.workspace.view_of(seed.MAYA) is not before, world.bot.output)  # type: ignore[misc]
        view = world.workspace.view_of(seed.MAYA)
        assert view is not None
        assert "is not an alert from agentpod" in str(view.body["blocks"])
        assert done.messages == [], "what a thread shows is not seen from the channel"


def thread_messages(world: World, alert: Message) -> list[Message]:
    return [m for m in world.workspace.messages(seed.OPS, thread_ts=alert.ts) if m.ts != alert.ts][:1]


async def test_the_status_answers_a_question_in_its_thread_for_all(world: World) -> None:
    asked = world.workspace.say(seed.SAM, seed.OPS, "is the agent down?")
    await world.workspace.shortcut(seed.MAYA, "status_here", asked)
    below = lambda: [m for m in world.workspace.messages(seed.OPS, thread_ts=asked.ts) if m.ts != asked.ts]  # noqa: E731
    await until(lambda: "Run again" in words(below()), lambda: words(below()))
    [answer] = below()
    assert answer.ephemeral_for is None
    assert f"Asked by <@{seed.MAYA}>: /agentpod status" in str(answer.blocks)


async def test_where_the_bot_can_t_post_the_answer_says_that_nobody_else_sees_it(world: World) -> None:
    asked = world.workspace.say(seed.SAM, seed.RANDOM, "is the agent down?")
    done = await world.workspace.shortcut(seed.MAYA, "status_here", asked)
    answer = await world.final(lambda: done.messages)
    assert answer.messages[0].ephemeral_for == seed.MAYA
    assert "Only you see this: it could not be posted into the thread" in answer.messages[0].all_text()
    assert "Asked by" not in answer.messages[0].all_text()


async def test_an_old_shortcut_says_what_there_is(world: World) -> None:
    await world.workspace.shortcut(seed.MAYA, "help")
    await until(said(world, seed.MAYA, "You may run"), lambda: words(direct(world, seed.MAYA)))
