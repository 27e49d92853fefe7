"""A workspace, the real SDK's client, and a real Bolt app connected to it over Socket Mode."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import Workspace

MANIFEST = Path(__file__).parents[2] / "deploy" / "slack-manifest.yaml"


class FakeClock:
    """A clock that a test advances."""

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def ws(clock: FakeClock) -> AsyncIterator[Workspace]:
    async with Workspace(
        MANIFEST, clock=clock, rate_limits=False, file_processing_s=0, redelivery_s=()
    ) as started:
        yield started


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def client(ws: Workspace, http: aiohttp.ClientSession) -> AsyncWebClient:
    return AsyncWebClient(ws.bot_token, base_url=ws.api_url, session=http)


@pytest.fixture
def app(client: AsyncWebClient) -> AsyncApp:
    return AsyncApp(client=client)


Connect = Callable[..., Any]


@pytest.fixture
async def connect(ws: Workspace, app: AsyncApp) -> AsyncIterator[Connect]:
    """Connect the Bolt app; call it after adding the listeners."""
    async with contextlib.AsyncExitStack() as stack:

        async def connected(which: AsyncApp = app) -> AsyncSocketModeHandler:
            handler = AsyncSocketModeHandler(which, ws.app_token, ping_interval=0.2)
            stack.push_async_callback(handler.close_async)
            await handler.connect_async()
            await ws.wait_connected(timeout=5)
            return handler

        yield connected


@pytest.fixture
def manifest() -> Path:
    return MANIFEST


@pytest.fixture
def until() -> Callable[..., Any]:
    """Poll a coroutine function until it holds, for five seconds at most."""

    async def wait(holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(5):
            while not await holds():  # noqa: ASYNC110 - the condition may need calls of its own
                await asyncio.sleep(0.01)

    return wait
