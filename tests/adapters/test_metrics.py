"""The ops server: health, readiness and metrics on one port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from bot.adapters.metrics import Metrics, OpsServer


class Ops:
    """A running server, and the reasons that make it unready."""

    def __init__(self) -> None:
        self.metrics = Metrics("9.9.9")
        self.reasons: list[str] = []
        self.server = OpsServer(self.metrics, lambda: self.reasons)
        self.port = 0

    async def get(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()


@pytest_asyncio.fixture
async def ops() -> AsyncIterator[Ops]:
    running = Ops()
    running.port = await running.server.start("127.0.0.1", 0)
    yield running
    await running.server.stop()


async def test_readiness_gives_its_reasons(ops: Ops) -> None:
    assert (await ops.get("/readyz"))[0] == 200
    ops.reasons.append("Slack: the socket is closed")
    status, text = await ops.get("/readyz")
    assert status == 503
    assert "the socket is closed" in text
    assert (await ops.get("/healthz"))[0] == 200


async def test_counted_events_appear_in_the_metrics(ops: Ops) -> None:
    ops.metrics.command_done("status", "ok", 0.2)
    ops.metrics.acked("slash", 0.01)
    ops.metrics.redelivered("slash")
    ops.metrics.api_call("chat.postMessage", "ok", 0.1)
    ops.metrics.connected(True)
    ops.metrics.delivery_failed("used_url")
    ops.metrics.task_restarted("slack")
    _, text = await ops.get("/metrics")
    for line in (
        'agentpod_commands_total{command="status",outcome="ok"} 1.0',
        'agentpod_command_seconds_count{command="status"} 1.0',
        'agentpod_slack_ack_seconds_count{kind="slash"} 1.0',
        'agentpod_slack_redeliveries_total{kind="slash"} 1.0',
        'agentpod_slack_api_calls_total{method="chat.postMessage",outcome="ok"} 1.0',
        "agentpod_slack_connected 1.0",
        'agentpod_slack_delivery_failures_total{reason="used_url"} 1.0',
        'agentpod_task_restarts_total{task="slack"} 1.0',
        'agentpod_info{version="9.9.9"} 1.0',
    ):
        assert line in text


async def test_a_port_in_use_is_an_error(ops: Ops) -> None:
    second = OpsServer(Metrics("1"), list)
    with pytest.raises(OSError, match="address already in use"):
        await second.start("127.0.0.1", ops.port)
    await second.stop()


async def test_idle_connections_do_not_block_probes() -> None:
    ops = OpsServer(Metrics("1"), list, most=5)
    port = await ops.start("127.0.0.1", 0)
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
    try:
        url, limit = f"http://127.0.0.1:{port}/healthz", aiohttp.ClientTimeout(5)
        async with aiohttp.ClientSession(timeout=limit) as session, session.get(url) as answer:
            assert answer.status == 200
        ended = [await asyncio.wait_for(_ended(reader), 5) for reader, _ in idle[:15]]
        assert all(ended)
    finally:
        for _, writer in idle:
            writer.close()
        await ops.stop()


async def _ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read(1) == b""
    except ConnectionError:
        return True
