"""Socket Mode against the real Bolt app, and frame by frame."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from slack_bolt.app.async_app import AsyncApp

from sandbox.slack import Workspace, seed


async def _socket(ws: Workspace, http: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
    headers = {"Authorization": f"Bearer {ws.app_token}"}
    async with http.post(f"{ws.api_url}apps.connections.open", headers=headers) as response:
        url = (await response.json())["url"]
    socket = await http.ws_connect(url)
    assert (await socket.receive_json(timeout=5))["type"] == "hello"
    return socket


async def test_a_slash_command_is_acked_with_an_ephemeral_answer(
    ws: Workspace, app: AsyncApp, connect: Any
) -> None:
    @app.command("/agentpod")
    async def run(ack: Any, command: dict[str, Any]) -> None:
        await ack(f"you said {command['text']}")

    await connect()
    done = await ws.slash(seed.MAYA, seed.OPS, "/agentpod", "status")
    assert done.ok
    assert [m.text for m in done.messages] == ["you said status"]
    assert done.messages[0].ephemeral_for == seed.MAYA
    assert ws.messages(seed.OPS, seed.JONAS) == []
    assert 0 < done.ack_seconds < 3


async def test_a_command_without_a_connection_fails_to_dispatch(ws: Workspace) -> None:
    done = await ws.slash(seed.MAYA, seed.OPS, "/agentpod", "status")
    assert done.error == "dispatch_failed"


async def test_a_command_that_is_not_acked_times_out(manifest: Any, http: aiohttp.ClientSession) -> None:
    async with Workspace(manifest, ack_timeout_s=0.05) as ws:
        socket = await _socket(ws, http)
        done = await ws.slash(seed.MAYA, seed.OPS, "/agentpod", "status")
        assert done.error == "operation_timeout"
        await socket.close()


async def test_the_hello_counts_the_connections(ws: Workspace, http: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"Bearer {ws.app_token}"}
    for expected in (1, 2):
        async with http.post(f"{ws.api_url}apps.connections.open", headers=headers) as response:
            socket = await http.ws_connect((await response.json())["url"])
        hello = await socket.receive_json(timeout=5)
        assert hello["num_connections"] == expected
        assert hello["connection_info"] == {"app_id": seed.APP_ID}


async def test_a_ticket_opens_one_connection_only(ws: Workspace, http: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"Bearer {ws.app_token}"}
    async with http.post(f"{ws.api_url}apps.connections.open", headers=headers) as response:
        url = (await response.json())["url"]
    await http.ws_connect(url)
    async with http.get(url.replace("ws://", "http://")) as refused:
        assert refused.status == 400


async def test_an_eleventh_connection_is_refused(ws: Workspace, http: aiohttp.ClientSession) -> None:
    held = [await _socket(ws, http) for _ in range(10)]
    headers = {"Authorization": f"Bearer {ws.app_token}"}
    async with http.post(f"{ws.api_url}apps.connections.open", headers=headers) as response:
        socket = await http.ws_connect((await response.json())["url"])
    refusal = await socket.receive_json(timeout=5)
    assert (refusal["type"], refusal["reason"]) == ("disconnect", "too_many_websockets")
    assert ws.connections == len(held)


async def test_payloads_take_turns_between_connections(ws: Workspace, http: aiohttp.ClientSession) -> None:
    sockets = [await _socket(ws, http) for _ in range(2)]
    running = [asyncio.create_task(ws.slash(seed.MAYA, seed.OPS, "/agentpod", str(n))) for n in range(4)]
    for socket in sockets:
        for _ in range(2):
            frame = await socket.receive_json(timeout=5)
            assert frame["type"] == "slash_commands"
            assert frame["accepts_response_payload"] is True
            await socket.send_json({"envelope_id": frame["envelope_id"]})
    assert [done.ok for done in await asyncio.gather(*running)] == [True] * 4


async def test_an_unacknowledged_event_is_redelivered_with_the_same_event_id(
    manifest: Any, http: aiohttp.ClientSession
) -> None:
    async with Workspace(manifest, ack_timeout_s=0.05, redelivery_s=(0, 0)) as ws:
        socket = await _socket(ws, http)
        ws.mention(seed.MAYA, seed.OPS, "status")
        frames = [await socket.receive_json(timeout=5) for _ in range(3)]
        assert [f["retry_attempt"] for f in frames] == [0, 1, 2]
        assert [f["retry_reason"] for f in frames] == ["", "timeout", "timeout"]
        assert len({f["payload"]["event_id"] for f in frames}) == 1
        await socket.close()


async def test_the_duplicate_fault_delivers_the_same_envelope_twice(
    ws: Workspace, http: aiohttp.ClientSession
) -> None:
    await ws.panel.apply("slack-duplicate", True)
    socket = await _socket(ws, http)
    running = asyncio.create_task(ws.slash(seed.MAYA, seed.OPS, "/agentpod", "status"))
    frames = [await socket.receive_json(timeout=5) for _ in range(2)]
    assert frames[0] == frames[1]
    for frame in frames:
        await socket.send_json({"envelope_id": frame["envelope_id"]})
    assert (await running).ok


async def test_bolt_reconnects_after_a_cut_and_after_a_refresh(
    ws: Workspace, app: AsyncApp, connect: Any, until: Any
) -> None:
    @app.command("/agentpod")
    async def run(ack: Any) -> None:
        await ack("here")

    await connect()
    for fault in ("slack-cut-socket", "slack-refresh"):
        opened = len(ws.record.of("apps.connections.open"))
        await ws.panel.apply(fault, None)

        async def asked_again(before: int = opened) -> bool:
            return len(ws.record.of("apps.connections.open")) > before

        async def heard() -> bool:  # a message sent into a closing connection is lost
            return bool((await ws.slash(seed.MAYA, seed.OPS, "/agentpod", "hello")).ok)

        await until(asked_again)
        await ws.wait_connected()
        await until(heard)


async def test_a_mention_arrives_in_slacks_shape(ws: Workspace, app: AsyncApp, connect: Any) -> None:
    bodies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    @app.event("app_mention")
    async def heard(body: dict[str, Any], say: Any) -> None:
        await bodies.put(body)
        await say("yes?", thread_ts=body["event"]["ts"])

    await connect()
    message = ws.mention(seed.MAYA, seed.OPS, "status")
    body = await asyncio.wait_for(bodies.get(), 5)
    assert body["event"]["text"] == f"<@{seed.BOT_USER}> status"
    assert body["event"]["user"] == seed.MAYA
    assert body["event"]["channel"] == seed.OPS
    assert body["event"]["client_msg_id"]
    assert body["authorizations"][0]["user_id"] == seed.BOT_USER
    reply = await ws.wait_message(seed.OPS, lambda m: m.text == "yes?", timeout=5)
    assert reply.thread_ts == message.ts
    assert message.reply_count == 1


async def test_direct_messages_arrive_and_mentions_where_the_bot_is_no_member_do_not(
    ws: Workspace, app: AsyncApp, connect: Any
) -> None:
    bodies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    @app.event("message")
    async def heard(body: dict[str, Any]) -> None:
        await bodies.put(body)

    await connect()
    ws.mention(seed.MAYA, seed.RANDOM, "status")
    ws.dm(seed.MAYA, "status")
    event = (await asyncio.wait_for(bodies.get(), 5))["event"]
    assert (event["channel_type"], event["channel"], event["text"]) == ("im", seed.DM_MAYA, "status")
    assert [e.payload["event"]["type"] for e in ws.record.envelopes] == ["message"]


async def test_home_opens_and_is_published_with_a_hash(ws: Workspace, app: AsyncApp, connect: Any) -> None:
    @app.event("app_home_opened")
    async def opened(event: dict[str, Any], client: Any) -> None:
        blocks = [{"type": "header", "text": {"type": "plain_text", "text": f"tab {event['tab']}"}}]
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    await connect()
    assert ws.open_home(seed.PRIYA) is None
    view = await ws.wait_view(seed.PRIYA, timeout=5)
    assert view.body["blocks"][0]["text"]["text"] == "tab home"


async def test_typed_text_is_escaped_and_names_become_ids(ws: Workspace, app: AsyncApp, connect: Any) -> None:
    @app.command("/agentpod")
    async def run(ack: Any) -> None:
        await ack()

    await connect()
    done = await ws.slash(seed.MAYA, seed.OPS, "/agentpod", "<!channel> & @jonas in #general <@U07SAM00004> @here")
    assert done.payload["text"] == (
        f"&lt;!channel&gt; &amp; <@{seed.JONAS}|jonas> in <#{seed.GENERAL}|general> <@{seed.SAM}> <!here>"
    )
