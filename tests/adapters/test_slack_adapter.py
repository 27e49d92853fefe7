"""The Slack adapter against the local workspace, over real sockets."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.adapters.slack import check_slack
from bot.adapters.slack.connection import SocketConnection
from bot.errors import NotAllowed, Transient
from bot.settings.model import SlackSettings
from sandbox.environment import free_port
from sandbox.slack import Workspace, seed
from sandbox.slack.http_mode import sign
from tests.adapters.slack_bench import MANIFEST, VIEWERS, Counts, Rig, adapter, http_rig, rig, settings, until

OPS, MAYA, SAM, JONAS = seed.OPS, seed.MAYA, seed.SAM, seed.JONAS


@pytest.fixture
async def bot() -> AsyncIterator[Rig]:
    async with rig() as made:
        yield made


def press(message: object, text: str) -> str:
    """The action_id of the button with that label."""
    for block in message.blocks:  # type: ignore[attr-defined]
        for element in block.get("elements", []) if block["type"] == "actions" else []:
            if element["text"]["text"] == text:
                return str(element["action_id"])
    raise AssertionError(f"no button {text!r}")


async def test_a_slash_command_is_acked_with_a_first_reply_that_becomes_the_answer(bot: Rig) -> None:
    done = await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
    assert done.ok
    answer = await bot.answer(OPS, MAYA, "1 of 2 checks failed")
    assert [m.ts for m in done.messages] == [answer.ts]
    assert answer.ephemeral_for == MAYA
    assert bot.ws.messages(OPS, JONAS) == []


async def test_the_ack_does_not_wait_for_work(bot: Rig) -> None:
    done = await bot.ws.slash(MAYA, OPS, "/agentpod", "slow")
    assert done.ok
    await until(lambda: bot.runs_of("slow") == 1)
    bot.gate.set()
    await bot.answer(OPS, MAYA, "slow is done")


async def test_a_mention_is_answered_in_its_thread(bot: Rig) -> None:
    asked = bot.ws.mention(MAYA, OPS, "status")
    answer = await bot.answer(OPS, MAYA, "1 of 2 checks failed")
    assert answer.thread_ts == asked.ts
    assert answer.ephemeral_for is None


async def test_a_direct_message_is_answered_once_and_own_messages_are_ignored(bot: Rig) -> None:
    bot.ws.dm(MAYA, "status")
    await bot.answer(seed.DM_MAYA, MAYA, "1 of 2 checks failed")
    bot.ws.dm(MAYA, "fix")
    await bot.answer(seed.DM_MAYA, MAYA, "fixed")
    assert (bot.runs_of("status"), bot.runs_of("fix")) == (1, 1)


async def test_dynamic_text_mentions_nobody(bot: Rig) -> None:
    await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
    answer = await bot.answer(OPS, MAYA, "1 of 2 checks failed")
    assert "<!channel>" not in answer.text
    assert "&lt;!channel&gt;" in answer.text
    assert not any('"broadcast"' in json.dumps(b) or "mrkdwn" in json.dumps(b) for b in answer.blocks)


async def test_partial_answers_edit_at_most_twice(bot: Rig) -> None:
    done = await bot.ws.slash(MAYA, OPS, "/agentpod", "steps")
    await bot.answer(OPS, MAYA, "steps are done")
    assert done.url is not None
    assert done.url.uses in (2, 3)
    assert len(done.messages) == 1


async def test_what_is_delivered_twice_runs_once(bot: Rig) -> None:
    bot.ws.core.faults.duplicate = True
    done = await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
    bot.ws.mention(MAYA, OPS, "fix")
    await bot.answer(OPS, MAYA, "fixed")
    await bot.answer(OPS, MAYA, "1 of 2 checks failed")
    await until(lambda: len(bot.counts.again) == 2)
    assert done.ok
    assert (bot.runs_of("status"), bot.runs_of("fix")) == (1, 1)


async def test_somebody_without_the_role_is_refused_also_by_click(bot: Rig) -> None:
    await bot.ws.slash(SAM, OPS, "/agentpod", "status")
    await bot.answer(OPS, SAM, "You may not run status")
    bot.ws.mention(MAYA, OPS, "status")
    public = await bot.answer(OPS, MAYA, "1 of 2 checks failed")
    assert (await bot.ws.click(SAM, public, press(public, "Fix"))).ok
    refusal = await bot.answer(OPS, SAM, "You may not run fix")
    assert refusal.ephemeral_for == SAM
    assert bot.runs_of("fix") == 0


async def test_a_click_runs_its_command_and_answers_the_clicker_alone(bot: Rig) -> None:
    bot.ws.mention(MAYA, OPS, "status")
    public = await bot.answer(OPS, MAYA, "1 of 2 checks failed")
    await bot.ws.click(JONAS, public, press(public, "Fix"))
    assert (await bot.answer(OPS, JONAS, "fixed")).ephemeral_for == JONAS
    assert "1 of 2" in public.all_text()


async def test_sharing_posts_the_same_answer_and_names_who_shared(bot: Rig) -> None:
    await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
    private = await bot.answer(OPS, MAYA, "1 of 2 checks failed")
    assert (await bot.ws.click(MAYA, private, press(private, "Share in channel"))).ok
    shared = await bot.answer(OPS, JONAS, "1 of 2 checks failed")
    assert shared.ephemeral_for is None
    assert f"<@{MAYA}>" in shared.all_text()
    assert bot.runs_of("status") == 1
    await until(lambda: private not in bot.ws.messages(OPS, MAYA))


async def test_run_again_replaces_the_private_answer(bot: Rig) -> None:
    await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
    private = await bot.answer(OPS, MAYA, "1 of 2 checks failed")
    await bot.ws.click(MAYA, private, press(private, "Run again"))
    await until(lambda: bot.runs_of("status") == 2)
    assert len(bot.ws.messages(OPS, MAYA)) == 1


@pytest.mark.parametrize("kept", [True, False])
async def test_a_shared_answer_has_no_line_of_a_log(bot: Rig, *, kept: bool) -> None:
    await bot.ws.slash(MAYA, OPS, "/agentpod", "crash")
    private = await bot.answer(OPS, MAYA, "the last line")
    if not kept:
        value = private.element("agentpod:share")["value"]
        for button in (b for block in private.blocks for b in block.get("elements", [])):
            if button.get("value") == value:
                button["value"] = json.dumps({"c": "crash", "k": "forgotten"})
    await bot.ws.click(MAYA, private, "agentpod:share")
    shared = await bot.answer(OPS, JONAS, "Log lines left out: others see this")
    assert shared.ephemeral_for is None
    assert "it crashed" in shared.all_text()
    assert "the last line" not in shared.all_text()
    assert bot.runs_of("crash") == (1 if kept else 2)


async def test_sharing_runs_the_command_again_when_the_answer_is_forgotten(bot: Rig) -> None:
    await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
    private = await bot.answer(OPS, MAYA, "1 of 2 checks failed")
    button = private.element("agentpod:share")
    kept = next(
        b for block in private.blocks for b in block.get("elements", []) if b.get("value") == button["value"]
    )
    kept["value"] = json.dumps({"c": "status", "k": "forgotten"})
    await bot.ws.click(MAYA, private, "agentpod:share")
    assert (await bot.answer(OPS, JONAS, "1 of 2 checks failed")).ephemeral_for is None
    assert bot.runs_of("status") == 2


@pytest.mark.parametrize("forged", ["", "x", "[]", '{"c": 7}', '{"c": "fix\\nfix"}', '{"c":"fix","k":{}}'])
async def test_a_forged_button_is_refused_in_words(bot: Rig, forged: str) -> None:
    await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
    private = await bot.answer(OPS, MAYA, "1 of 2 checks failed")
    kept = next(e for b in private.blocks if b["type"] == "actions" for e in b["elements"] if "Fix" in str(e))
    kept["value"] = forged
    assert (await bot.ws.click(MAYA, private, press(private, "Fix"))).ok
    await bot.answer(OPS, MAYA, "did not make that button")
    assert bot.runs_of("fix") == 0


async def test_refused_blocks_are_resent_as_text(bot: Rig, caplog: pytest.LogCaptureFixture) -> None:
    bot.ws.core.faults.invalid_blocks = True
    with caplog.at_level(logging.WARNING, "agentpod.slack"):
        await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
        answer = await bot.answer(OPS, MAYA, "Restart it.")
    assert answer.blocks == []
    assert any("blocks refused" in r.message for r in caplog.records)


async def test_a_spent_response_url_loses_no_answer(bot: Rig) -> None:
    bot.ws.core.faults.url_spent = True
    await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
    answer = await bot.answer(OPS, MAYA, "1 of 2 checks failed")
    assert answer.ephemeral_for == MAYA


async def test_where_the_bot_is_no_member_a_spent_url_leads_to_a_direct_message(bot: Rig) -> None:
    bot.ws.core.faults.url_spent = True
    await bot.ws.slash(MAYA, seed.RANDOM, "/agentpod", "status")
    await bot.answer(seed.DM_MAYA, MAYA, "1 of 2 checks failed")


async def test_server_errors_and_rate_limits_are_waited_out(bot: Rig) -> None:
    bot.ws.core.faults.rate_limited = True
    await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
    await until(lambda: bot.runs_of("status") == 1)
    bot.ws.core.faults.rate_limited = False
    bot.ws.core.faults.server_error = True
    bot.ws.mention(MAYA, OPS, "slow")
    await until(lambda: bot.runs_of("slow") == 1)
    bot.gate.set()
    await until(lambda: any(call.status == 500 for call in bot.ws.record.of("chat.postMessage")))
    bot.ws.core.faults.server_error = False
    await bot.answer(OPS, MAYA, "1 of 2 checks failed")
    await bot.answer(OPS, MAYA, "slow is done")


async def test_a_long_log_goes_to_the_direct_message_and_the_answer_says_so(bot: Rig) -> None:
    await bot.ws.slash(MAYA, OPS, "/agentpod", "logs")
    answer = await bot.answer(OPS, MAYA, "line 1999 of the log")
    assert "in your direct messages with me" in answer.all_text()
    file = await bot.answer(seed.DM_MAYA, MAYA, "agent.log")
    await until(lambda: any(m.files for m in bot.ws.store.everything(seed.DM_MAYA)))
    held = next(m for m in bot.ws.store.everything(seed.DM_MAYA) if m.files).files[0].content
    assert held is not None
    assert held.startswith(b"line 0 ")
    assert file is not None


async def test_without_files_write_the_answer_says_that_it_is_cut(bot: Rig) -> None:
    bot.ws.core.faults.missing_scope = "files:write"
    await bot.ws.slash(MAYA, OPS, "/agentpod", "logs")
    answer = await bot.answer(OPS, MAYA, "line 1999 of the log")
    assert "could not be attached" in answer.all_text()
    assert "files:write" in answer.all_text()


async def test_unreadable_groups_grant_nothing_and_the_refusal_says_so() -> None:
    async with rig(missing_scope="usergroups:read") as bot:
        await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
        await bot.answer(OPS, MAYA, "could not be read from Slack")


async def test_a_cut_in_the_middle_of_a_command_loses_nothing(bot: Rig) -> None:
    await bot.ws.slash(MAYA, OPS, "/agentpod", "slow")
    await until(lambda: bot.runs_of("slow") == 1)
    await bot.ws.panel.apply("slack-cut-socket", None)
    await bot.ws.wait_connected(timeout=10)
    bot.gate.set()
    await bot.answer(OPS, MAYA, "slow is done")
    assert bot.runs_of("slow") == 1
    assert (await bot.ws.slash(MAYA, OPS, "/agentpod", "fix")).ok


async def test_a_refresh_reconnects_and_hears_again(bot: Rig) -> None:
    await bot.ws.panel.apply("slack-refresh", None)
    await bot.ws.wait_connected(timeout=10)
    assert (await bot.ws.slash(MAYA, OPS, "/agentpod", "fix")).ok
    await bot.answer(OPS, MAYA, "fixed")


async def test_a_warning_opens_the_new_connection_before_the_old_is_given_up(bot: Rig) -> None:
    await bot.ws.disconnect("warning")
    await bot.ws.wait_connected(2, timeout=10)
    for _ in range(4):
        assert (await bot.ws.slash(MAYA, OPS, "/agentpod", "fix")).ok
    await until(lambda: bot.ws.connections == 1)
    assert bot.slack.status().connected


async def test_no_connection_shows_in_the_status_until_there_is_one_again(bot: Rig) -> None:
    bot.ws.core.faults.no_connect = True
    await bot.ws.panel.apply("slack-cut-socket", None)
    await until(lambda: not bot.slack.status().connected)
    await until(lambda: "apps.connections.open" in bot.slack.status().reason)
    bot.ws.core.faults.no_connect = False
    await until(lambda: bot.slack.status().connected)
    assert bot.counts.links[-2:] == [False, True]


async def test_a_wrong_or_revoked_token_stops_the_start_with_a_remedy() -> None:
    async with Workspace(MANIFEST) as ws:
        ws.core.faults.token_revoked = True
        slack = adapter(settings(ws), Counts(), asyncio.Event(), [])
        with pytest.raises(NotAllowed, match="revoked") as caught:
            await slack.start()
        assert ws.bot_token not in str(caught.value)
        assert "slack.bot_token" in str(caught.value.remedy)


async def test_an_unreachable_server_is_named_without_the_token() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/api/"
        conf = SlackSettings(bot_token="xoxb-secret-value", app_token="xapp-1", api_url=url)
        with pytest.raises(Transient) as caught:
            await adapter(conf, Counts(), asyncio.Event(), []).start()
    assert caught.value.message == f"Slack can't be reached at {url}: connection refused."
    assert "secret-value" not in str(caught.value)


async def test_a_busy_connection_is_not_taken_for_a_stale_one(bot: Rig) -> None:
    """aiohttp pings a silent connection only, so one that is busy for a minute has had no pong for that long."""
    connection = bot.slack._connection
    assert isinstance(connection, SocketConnection)
    client = connection._client
    assert client is not None
    client.last_ping_pong_time = time.time() - 60
    assert (await bot.ws.slash(MAYA, OPS, "/agentpod", "status")).ok
    assert await client.is_connected()
    assert connection._client is client


async def test_no_token_reaches_the_log(bot: Rig, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        bot.ws.core.faults.server_error = True
        await bot.ws.panel.apply("slack-cut-socket", None)
        await until(lambda: not bot.slack.status().connected)
        bot.ws.core.faults.server_error = False
        await until(lambda: bot.slack.status().connected)
    text = "\n".join(caplog.handler.format(record) for record in caplog.records)
    assert text
    assert bot.ws.bot_token not in text
    assert bot.ws.app_token not in text
    assert "ticket=" not in text


async def test_check_names_the_feature_that_a_missing_scope_takes_away() -> None:
    async with Workspace(MANIFEST) as ws:
        good = await check_slack(settings(ws), VIEWERS, {OPS: "slack.channel"})
        assert all(r.ok for r in good), good
        ws.core.faults.missing_scope = "files:write"
        bad = [r for r in await check_slack(settings(ws), VIEWERS, {}) if not r.ok]
        assert len(bad) == 1
        assert "files:write (whole logs as files, and the digest's picture)" in bad[0].detail


async def test_check_posts_nothing_in_the_channels_that_it_tries() -> None:
    async with Workspace(MANIFEST) as ws:
        [*_, tried] = await check_slack(settings(ws), VIEWERS, {OPS: "slack.channel"})
        assert (tried.ok, tried.detail) == (True, "slack.channel: agentpod may post there")
        assert [c.method for c in ws.record.calls][-2:] == ["chat.scheduleMessage", "chat.deleteScheduledMessage"]
        assert ws.core.scheduled == {}
        assert ws.messages(OPS) == []


async def test_drain_waits_for_running_commands_and_hears_nothing_new() -> None:
    async with rig(ack_timeout_s=0.5) as bot:
        await bot.ws.slash(MAYA, OPS, "/agentpod", "slow")
        await until(lambda: bot.runs_of("slow") == 1)
        draining = asyncio.create_task(bot.slack.drain(10))
        await asyncio.sleep(0)
        refused = await bot.ws.slash(MAYA, OPS, "/agentpod", "fix")
        assert refused.error == "operation_timeout"
        bot.gate.set()
        await draining
        await bot.answer(OPS, MAYA, "slow is done")
        assert bot.runs_of("fix") == 0


async def test_http_mode_answers_commands_events_and_the_url_verification() -> None:
    async with http_rig(free_port()) as bot:
        assert await bot.ws.verify_url()
        assert (await bot.ws.slash(MAYA, OPS, "/agentpod", "status")).ok
        await bot.answer(OPS, MAYA, "1 of 2 checks failed")
        bot.ws.mention(MAYA, OPS, "fix")
        await bot.answer(OPS, MAYA, "fixed")


async def test_http_mode_refuses_wrong_old_and_oversized_requests_and_runs_replays_once() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/slack/events"
    body = b"command=%2Fagentpod&text=fix&user_id=U07MAYA0001&channel_id=C07OPSPOD01&trigger_id=1.2.3"
    async with http_rig(port) as bot, aiohttp.ClientSession() as http:
        form = {"Content-Type": "application/x-www-form-urlencoded"}

        async def send(stamp: str, signature: str, data: bytes = body) -> int:
            signed = form | {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}
            async with http.post(url, data=io.BytesIO(data), headers=signed) as response:
                return response.status

        now, old = str(int(time.time())), str(int(time.time()) - 400)
        secret = bot.ws.signing_secret
        assert await send(now, sign("wrong", now, body)) == 401
        assert await send(old, sign(secret, old, body)) == 401
        async with http.post(url, data=body, headers=form) as response:
            assert response.status == 401
        assert await send(now, sign(secret, now, b"x" * (2 << 20)), b"x" * (2 << 20)) == 413
        assert bot.runs_of("fix") == 0
        assert [await send(now, sign(secret, now, body)) for _ in range(2)] == [200, 200]
        await until(lambda: bot.runs_of("fix") == 1)
        assert bot.counts.again == ["slash"]
