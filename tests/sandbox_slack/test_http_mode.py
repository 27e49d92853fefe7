"""HTTP mode against the real Bolt server adapter: signatures, challenge, acknowledgements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import Workspace, seed


class Endpoint:
    """Serves the current Bolt app at one address."""

    def __init__(self) -> None:
        self.bolt: AsyncApp | None = None
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        assert self.bolt is not None
        return await to_aiohttp_response(await self.bolt.async_dispatch(await to_bolt_request(request)))


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    served = Endpoint()
    server = web.Application()
    server.router.add_post("/slack/events", served.handle)
    runner = web.AppRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    yield served
    await runner.cleanup()


@pytest.fixture
async def over_http(manifest: Path, endpoint: Endpoint, http: aiohttp.ClientSession) -> AsyncIterator[Workspace]:
    async with Workspace(manifest, request_url=endpoint.url, rate_limits=False, redelivery_s=()) as ws:
        client = AsyncWebClient(ws.bot_token, base_url=ws.api_url, session=http)
        endpoint.bolt = AsyncApp(client=client, signing_secret=ws.signing_secret)
        yield ws


async def test_commands_and_clicks_are_signed_and_answered(over_http: Workspace, endpoint: Endpoint) -> None:
    assert endpoint.bolt is not None

    @endpoint.bolt.command("/agentpod")
    async def run(ack: Any) -> None:
        button = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}
        await ack(text="card", blocks=[{"type": "actions", "elements": [button]}])

    @endpoint.bolt.action("go")
    async def go(ack: Any) -> None:
        await ack()

    done = await over_http.slash(seed.MAYA, seed.OPS, "/agentpod", "status")
    assert done.messages[0].text == "card"
    assert (await over_http.click(seed.MAYA, done.messages[0], "go")).ok


async def test_events_come_after_the_url_is_verified(over_http: Workspace, endpoint: Endpoint) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    assert endpoint.bolt is not None

    @endpoint.bolt.event("app_mention")
    async def mentioned(event: dict[str, Any]) -> None:
        await heard.put(event["text"])

    assert await over_http.verify_url()
    over_http.mention(seed.MAYA, seed.OPS, "status")
    assert await asyncio.wait_for(heard.get(), 5) == f"<@{seed.BOT_USER}> status"


async def test_a_wrong_signing_secret_fails_the_command(over_http: Workspace, endpoint: Endpoint) -> None:
    client = AsyncWebClient(over_http.bot_token, base_url=over_http.api_url)
    endpoint.bolt = AsyncApp(client=client, signing_secret="another")
    done = await over_http.slash(seed.MAYA, seed.OPS, "/agentpod", "status")
    assert done.error == "dispatch_failed"


def test_requests_go_to_this_machine_only(manifest: Path) -> None:
    with pytest.raises(ValueError, match="on localhost"):
        Workspace(manifest, request_url="https://example.com/slack/events")
