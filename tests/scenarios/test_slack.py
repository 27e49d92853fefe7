"""The real bot against everything that Slack does to an app: each answer arrives, once and complete."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.blocks import message_blocks
from sandbox.slack.message import Message
from tests.healthy import HEALTHY
from tests.scenarios.talk import World, is_final, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-slack")]

OPS, MAYA, JONAS, PRIYA, SAM = seed.OPS, seed.MAYA, seed.JONAS, seed.PRIYA, seed.SAM


@pytest_asyncio.fixture(loop_scope="module")
async def world(module_world: World) -> AsyncIterator[World]:
    """The module's world, connected and with a fast cluster, healed before and after."""
    await module_world.workspace.panel.heal()
    await module_world.ready_becomes(200)
    yield module_world
    await module_world.workspace.panel.heal()
    module_world.sandbox.cluster.latency = {}


def new_in(world: World, channel: str, user: str, *, after: list[Message]) -> list[Message]:
    """The bot's messages in ``channel`` that ``user`` sees and that aren't in ``after``."""
    seen = [m for m in world.workspace.store.everything(channel) if m.visible_to(user)]
    return [m for m in seen if m not in after and m.user == seed.BOT_USER]


def everything(world: World, channel: str) -> list[Message]:
    return list(world.workspace.store.everything(channel))


def button(message: Message, label: str) -> str:
    """The action_id of the button with that label."""
    elements = [e for b in message.blocks if b["type"] == "actions" for e in b["elements"]]
    return str(next(e["action_id"] for e in elements if e["text"]["text"] == label))


async def commands(world: World, name: str) -> float:
    return await world.metric("agentpod_commands_total", command=name)


# What Slack refuses


async def test_a_rate_limited_answer_arrives_after_the_pause_that_slack_asked_for(world: World) -> None:
    await world.break_("slack-429", "2")
    done = await world.workspace.slash(MAYA, OPS, "/agentpod", "whoami")
    refused = len(world.workspace.record.of("response_url"))
    await until(lambda: len(world.workspace.record.of("response_url")) > refused, lambda: "never tried")
    await world.workspace.panel.heal()
    assert "operator" in (await world.final(lambda: done.messages)).text
    tries = [call.at for call in world.workspace.record.of("response_url")][-2:]
    assert tries[1] - tries[0] >= 2.0


async def test_an_answer_survives_server_errors(world: World) -> None:
    before = len(world.workspace.record.of("response_url"))
    await world.break_("slack-500")
    done = await world.workspace.slash(MAYA, OPS, "/agentpod", "whoami")
    await until(lambda: len(world.workspace.record.of("response_url")) > before + 1, lambda: "never tried again")
    await world.workspace.panel.heal()
    assert "operator" in (await world.final(lambda: done.messages)).text


async def test_an_answer_whose_blocks_are_refused_arrives_complete_as_text(world: World) -> None:
    await world.break_("slack-invalid-blocks")
    answer = await world.ask("status")
    assert answer.block_types() == []
    assert "Healthy" in answer.text
    assert "Argo CD" in answer.text


async def test_a_number_stays_on_one_line_with_its_unit(world: World) -> None:
    answer = await world.ask("status")
    assert "\\xa0s'" in str(answer.messages[-1].blocks), "as in: took 0.1 s"
    assert "\xa0" not in answer.text


async def test_an_exhausted_response_url_is_replaced_by_another_route(world: World) -> None:
    before = everything(world, OPS)
    await world.break_("slack-response-url-spent")
    await world.workspace.slash(MAYA, OPS, "/agentpod", "whoami")
    said = lambda: [m for m in new_in(world, OPS, MAYA, after=before) if "operator" in m.all_text()]  # noqa: E731
    answer = await world.final(said)
    assert [m.ephemeral_for for m in answer.messages] == [MAYA]


async def test_a_duplicate_delivery_runs_and_answers_once(world: World) -> None:
    await world.healthy()
    before, ran = everything(world, OPS), await commands(world, "whoami")
    again = await world.metric("agentpod_slack_redeliveries_total")
    await world.break_("slack-duplicate")
    await world.ask("whoami")
    await world.metric_becomes("agentpod_slack_redeliveries_total", again + 1)
    assert await commands(world, "whoami") == ran + 1
    assert len(new_in(world, OPS, MAYA, after=before)) == 1


async def test_a_missing_scope_is_explained_in_place_of_the_file(world: World) -> None:
    await world.break_("slack-missing-scope", "files:write")
    await world.break_("pod-noisy-logs")
    answer = await world.ask("logs --tail 5000")
    assert "could not be attached" in answer.text
    assert "files:write" in answer.text


async def test_a_revoked_token_makes_the_bot_unready_until_it_works_again(world: World) -> None:
    lost = await world.metric("agentpod_slack_delivery_failures_total")
    before = len(world.workspace.messages(seed.DMS[MAYA], MAYA))
    await world.break_("slack-token-revoked")
    world.workspace.dm(MAYA, "whoami")
    await world.ready_becomes(503, "token_revoked")
    await world.workspace.panel.heal()
    await world.ready_becomes(200)
    answers = lambda: words(world.workspace.messages(seed.DMS[MAYA], MAYA)[before:])  # noqa: E731 - asked twice
    await until(lambda: "viewer" in answers() or "operator" in answers(), answers)
    assert await world.metric("agentpod_slack_delivery_failures_total") == lost, "the answer waited for the token"
    assert world.bot.output().count("the token was revoked") >= 1
    assert "Traceback" not in world.bot.output()


async def test_metrics_cover_commands_acks_calls_and_the_connection(world: World) -> None:
    lost = await world.metric("agentpod_slack_delivery_failures_total")
    acks = await world.metric("agentpod_slack_ack_seconds_count", kind="slash_commands")
    calls = await world.metric("agentpod_slack_api_calls_total", method="response_url", outcome="ok")
    await world.ask("whoami")
    await world.metric_becomes("agentpod_slack_ack_seconds_count", acks + 1, kind="slash_commands")
    await world.metric_becomes("agentpod_slack_api_calls_total", calls + 1, method="response_url", outcome="ok")
    assert await world.metric("agentpod_slack_connected") == 1
    assert await world.metric("agentpod_slack_delivery_failures_total") == lost


# The connection


async def test_a_cut_in_the_middle_of_a_command_loses_and_repeats_nothing(world: World) -> None:
    before, ran = everything(world, OPS), await commands(world, "status")
    world.sandbox.cluster.latency = {"*": 0.8}
    done = await world.workspace.slash(MAYA, OPS, "/agentpod", "status")
    await world.break_("slack-cut-socket", None)
    answer = await world.final(lambda: done.messages)
    assert "done" not in answer.first_line
    await world.workspace.wait_connected()
    assert await commands(world, "status") == ran + 1
    assert len(new_in(world, OPS, MAYA, after=before)) == 1


async def test_a_requested_reconnect_drops_no_command(world: World) -> None:
    for _ in range(2):
        await world.break_("slack-refresh", None)
        await world.workspace.wait_connected()
        assert "operator" in (await world.ask("whoami")).text


async def test_without_a_connection_the_bot_is_not_ready_and_says_why(world: World) -> None:
    await world.break_("slack-no-connect")
    await world.break_("slack-cut-socket", None)
    await world.ready_becomes(503, "apps.connections.open")
    assert await world.metric("agentpod_slack_connected") == 0
    await world.workspace.panel.heal()
    await world.ready_becomes(200)
    assert await world.metric("agentpod_slack_connected") == 1


# Where people ask


async def test_a_mention_is_answered_publicly_in_its_thread(world: World) -> None:
    asked = world.workspace.mention(MAYA, OPS, "status")
    answer = await world.final(lambda: world.workspace.messages(OPS, JONAS, asked.ts)[1:])
    assert "Healthy" in answer.first_line
    assert all(m.ephemeral_for is None for m in answer.messages)


async def test_a_direct_message_is_answered_in_the_conversation(world: World) -> None:
    before = everything(world, seed.DM_MAYA)
    world.workspace.dm(MAYA, "whoami")
    answer = await world.final(lambda: new_in(world, seed.DM_MAYA, MAYA, after=before))
    assert answer.messages[0].thread_ts is None
    assert "operator" in answer.text


async def test_a_shared_answer_is_public_and_names_the_user_who_shared_it(world: World) -> None:
    private = (await world.healthy()).messages[0]
    before = everything(world, OPS)
    done = await world.workspace.click(MAYA, private, button(private, "Share in channel"))
    assert done.ok
    answer = await world.final(lambda: new_in(world, OPS, JONAS, after=before))
    assert f"Shared by <@{MAYA}>" in answer.text
    assert "Healthy" in answer.text
    assert answer.messages[0].ephemeral_for is None
    await until(lambda: private not in everything(world, OPS), lambda: "the private copy stayed")


async def test_run_again_replaces_the_old_answer(world: World) -> None:
    private, ran = (await world.healthy()).messages[0], await commands(world, "status")
    before = [m for m in everything(world, OPS) if m is not private]
    await world.break_("service-no-ip")
    await world.workspace.click(MAYA, private, button(private, "Run again"))
    await until(lambda: "Not healthy" in private.all_text(), private.all_text)
    await world.metric_becomes("agentpod_commands_total", ran + 1, command="status")
    assert new_in(world, OPS, MAYA, after=before) == [private]


async def test_a_public_button_is_refused_to_a_user_without_a_role(world: World) -> None:
    asked = world.workspace.mention(MAYA, OPS, "status")
    await world.final(lambda: world.workspace.messages(OPS, MAYA, asked.ts)[1:])
    public = world.workspace.messages(OPS, SAM, asked.ts)[1]
    before = everything(world, OPS)
    assert (await world.workspace.click(SAM, public, button(public, "Run again"))).ok
    refusal = await world.final(lambda: new_in(world, OPS, SAM, after=before))
    assert "You may not run status" in refusal.text
    assert [m.ephemeral_for for m in refusal.messages] == [SAM]


@pytest.mark.parametrize("forged", ["nonsense", '{"c":"status\\nstatus"}', '{"c":["status"]}'])
async def test_a_forged_button_is_refused_with_an_explanation(world: World, forged: str) -> None:
    private = (await world.healthy()).messages[0]
    ran, before = await commands(world, "status"), everything(world, OPS)
    next(e for b in private.blocks if b["type"] == "actions" for e in b["elements"])["value"] = forged
    first = next(e for b in private.blocks if b["type"] == "actions" for e in b["elements"])
    assert (await world.workspace.click(MAYA, private, first["action_id"])).ok
    answer = await world.final(lambda: new_in(world, OPS, MAYA, after=before))
    assert "did not make that button" in answer.text
    assert await commands(world, "status") == ran


async def test_output_over_every_limit_is_valid_in_slack_and_complete_in_a_file(world: World) -> None:
    before = everything(world, seed.DM_MAYA)
    await world.break_("pod-noisy-logs")
    answer = await world.ask("logs --tail 5000")
    assert len(json.dumps([m.blocks for m in answer.messages])) < 50_000
    for message in answer.messages:
        message_blocks(message.blocks, lambda _: None)
    assert "in your direct messages with me" in answer.text
    files = lambda: [f for m in new_in(world, seed.DM_MAYA, MAYA, after=before) for f in m.files]  # noqa: E731
    await until(lambda: bool(files()), lambda: "no file")
    content = (files()[0].content or b"").decode()
    total = re.search(r"of ([\d,]+) lines; all of it is in", answer.text)
    assert total is not None
    assert len(content.rstrip("\n").split("\n")) == int(total[1].replace(",", ""))
    assert "seeding" not in answer.text
    assert "[entrypoint] seeding" in content
    assert "xoxb-" not in content


# Slow probes, and shutdown


@pytest_asyncio.fixture(loop_scope="module")
async def slow() -> AsyncIterator[World]:
    """A separate bot, whose probes wait for a slow cluster."""
    settings = {"probes": {"timeout": "8s"}}
    async with Sandbox(rate_limits=False, settings=settings, pod_seconds=0.0) as sandbox:
        bot = await sandbox.start_bot()
        sandbox.cluster.latency = {"*": 2.5}
        yield World(sandbox, bot)


async def test_the_first_reply_comes_at_once_and_is_edited_as_probes_come_in(slow: World) -> None:
    shown: list[tuple[float, str]] = []
    started = time.monotonic()

    def look(_: str, message: Message) -> None:
        if message.channel == OPS:
            shown.append((time.monotonic() - started, message.all_text()))

    slow.workspace.store.listeners.add(look)
    done = await slow.workspace.slash(MAYA, OPS, "/agentpod", "status")
    answer = await slow.final(lambda: done.messages)
    slow.workspace.store.listeners.discard(look)
    assert shown[0][0] < 1.0
    assert "Checking" in shown[0][1]
    partial = [text for _, text in shown[1:-1]]
    assert partial, "never edited on the way"
    assert all("waiting for" in text for text in partial)
    assert HEALTHY in answer.first_line
    assert len(done.messages) == 1


async def test_sigterm_waits_for_the_answer_of_a_running_command(slow: World) -> None:
    done = await slow.workspace.slash(MAYA, OPS, "/agentpod", "status")
    code = await slow.bot.stop()
    assert code == 0
    assert is_final(done.messages), words(done.messages)
    assert "Healthy" in words(done.messages)
    assert "Traceback" not in slow.bot.output()


async def test_at_sigterm_a_burst_that_was_acknowledged_is_answered_once_each() -> None:
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as sandbox:
        bot, workspace = await sandbox.start_bot(), sandbox.workspace
        workspace.core.faults.duplicate = True
        who = [user for user in (MAYA, JONAS, PRIYA) for _ in range(20)]
        sent = [asyncio.create_task(workspace.slash(user, OPS, "/agentpod", "version")) for user in who]
        await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
        assert await bot.stop() == 0
        acknowledged = [done for done in await asyncio.gather(*sent) if done.ok]
        assert acknowledged
        answers = [words(done.messages) for done in acknowledged]
        assert [answer for answer in answers if "Python" not in answer] == []
        assert {len(done.messages) for done in acknowledged} == {1}


async def test_no_output_of_the_bot_holds_a_token(module_world: World) -> None:
    output = module_world.bot.output()
    assert module_world.workspace.bot_token not in output
    assert module_world.workspace.app_token not in output
    assert "ticket=" not in output
    assert "WARNING slack_bolt" not in output
