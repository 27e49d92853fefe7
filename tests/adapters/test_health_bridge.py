"""The health-bridge sink: what is sent, and that a 200 counts only if the body says that all was processed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.sinks.health_bridge.client import HealthBridge
from bot.errors import AgentpodError, NotAllowed, Permanent, TimedOut, Transient, Uncertain
from tests.adapters.kube_bench import serving

TOKEN = "a-token-of-the-bridge"


@dataclass
class Server:
    """A server with a scripted answer."""

    status: int = 200
    body: str = '{"processed":1,"total":1}'
    hangs: bool = False
    hangs_up: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    came: list[tuple[str, str, Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.came.append((request.path, request.headers.get("Authorization", ""), await request.json()))
        if self.hangs_up and request.transport is not None:
            request.transport.abort()
        if self.hangs:
            await asyncio.Event().wait()
        return web.Response(status=self.status, text=self.body, headers=self.headers)


@asynccontextmanager
async def bridge(server: Server, seconds: float = 2.0) -> AsyncIterator[HealthBridge]:
    async with serving(server.answer) as port:
        made = HealthBridge(f"http://127.0.0.1:{port}/webhook", TOKEN, timeout=seconds)
        try:
            yield made
        finally:
            await made.close()


async def test_an_event_is_posted_with_the_token() -> None:
    server = Server()
    async with bridge(server) as made:
        await made.send({"status": "firing"})
    assert server.came == [("/webhook", f"Bearer {TOKEN}", {"status": "firing"})]


@pytest.mark.parametrize(
    ("server", "error", "said"),
    [
        (Server(401), NotAllowed, "HTTP 401"),
        (Server(404), Permanent, "HTTP 404"),
        (Server(410), Permanent, "HTTP 410"),
        (Server(400), Permanent, "HTTP 400"),
        (Server(429), Transient, "HTTP 429"),
        (Server(500), Uncertain, "HTTP 500"),
        (Server(503), Transient, "HTTP 503"),
        (Server(200, '{"processed":0,"total":1}'), Transient, "processed 0 of 1"),
        (Server(200, json.dumps({"processed": 2, "total": 3})), Transient, "processed 2 of 3"),
        (Server(200, "ok"), Uncertain, "without saying what it processed"),
        (Server(200, "[]"), Uncertain, "without saying what it processed"),
        (Server(hangs_up=True), Uncertain, "no whole answer"),
        (Server(hangs=True), TimedOut, "no answer in 0.3 s"),
    ],
)
async def test_each_failure_raises_its_kind_of_error(
    server: Server, error: type[AgentpodError], said: str
) -> None:
    async with bridge(server, 0.3) as made:
        with pytest.raises(error, match=said) as caught:
            await made.send({})
    assert TOKEN not in f"{caught.value.message} {caught.value.remedy}"
    assert type(caught.value) is error, "whether it may have been taken matters"


async def test_a_retry_after_is_kept_in_the_error() -> None:
    async with bridge(Server(429, headers={"Retry-After": "17"})) as made:
        with pytest.raises(Transient) as caught:
            await made.send({})
    assert caught.value.retry_after == 17.0


async def test_a_refused_connection_is_transient_and_does_not_leak_the_token() -> None:
    made = HealthBridge("http://127.0.0.1:9/webhook", TOKEN)
    with pytest.raises(Transient, match="can't be reached") as caught:
        await made.send({})
    assert type(caught.value) is Transient, "it can't have come there"
    await made.close()
