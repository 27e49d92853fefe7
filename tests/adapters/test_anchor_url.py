"""The anchors' URL: what is sent, and what each answer means for sending it again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.sinks.anchor_url.client import AnchorUrl
from bot.domain.core.anchors import Anchor
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.errors import AgentpodError, NotAllowed, Permanent, TimedOut, Transient, Uncertain
from tests.adapters.kube_bench import serving

TOKEN = "a-token-of-the-archive"
ANCHOR = Anchor(7, "a" * 64, datetime(2026, 11, 23, 9, tzinfo=UTC), "2026-11-23")
MESSAGE = OutboxMessage(MessageKey.of("anchor-url", ANCHOR.key), "url")


@dataclass
class Server:
    """A server with a scripted answer."""

    status: int = 201
    hangs: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    came: list[tuple[str, str | None, str | None, Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        said = request.headers
        came = (request.method, said.get("Authorization"), said.get("Idempotency-Key"), await request.json())
        self.came.append(came)
        if self.hangs:
            await asyncio.Event().wait()
        return web.Response(status=self.status, headers=self.headers)


@asynccontextmanager
async def sink(server: Server, token: str = TOKEN, seconds: float = 2.0) -> AsyncIterator[AnchorUrl]:
    async with serving(server.answer) as port:
        made = AnchorUrl(f"http://127.0.0.1:{port}/anchors", token, timeout=seconds)
        try:
            yield made
        finally:
            await made.close()


@pytest.mark.parametrize(("token", "authorization"), [(TOKEN, f"Bearer {TOKEN}"), ("", None)])
async def test_an_anchor_is_posted_under_the_same_key_each_time(token: str, authorization: str | None) -> None:
    server = Server()
    async with sink(server, token) as made:
        for _ in range(2):
            await made.deliver(MESSAGE, ANCHOR)
    body = {"key": "2026-11-23", "at": "2026-11-23T09:00:00+00:00", "number": 7, "digest": "a" * 64}
    assert server.came == [("POST", authorization, "anchor-url:2026-11-23", body)] * 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [(302, Permanent), (401, NotAllowed), (404, Permanent), (429, Transient), (500, Uncertain), (503, Transient)],
)
async def test_no_other_answer_than_2xx_counts_as_delivered(status: int, kind: type[AgentpodError]) -> None:
    async with sink(Server(status, headers={"Retry-After": "7"})) as made:
        with pytest.raises(AgentpodError, match=f"answered HTTP {status}") as caught:
            await made.deliver(MESSAGE, ANCHOR)
    assert type(caught.value) is kind
    assert TOKEN not in f"{caught.value.message} {caught.value.remedy}"
    if isinstance(caught.value, Transient):
        assert caught.value.retry_after is not None


async def test_a_server_that_hangs_or_is_away_is_tried_again() -> None:
    async with sink(Server(hangs=True), seconds=0.2) as made:
        with pytest.raises(TimedOut, match=r"no answer in 0\.2 s"):
            await made.deliver(MESSAGE, ANCHOR)
    gone = AnchorUrl("http://127.0.0.1:1/anchors", TOKEN)
    with pytest.raises(Transient, match="can't be reached"):
        await gone.deliver(MESSAGE, ANCHOR)
    await gone.close()
