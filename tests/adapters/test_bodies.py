"""Endless, slow and explosively compressed responses are refused in time, with a clear error, in little memory."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.pushgateway import Pushgateway
from bot.adapters.sinks.anchor_url.client import AnchorUrl
from bot.adapters.sinks.dead_mans_switch.client import DeadMansSwitch
from bot.adapters.sinks.health_bridge.client import HealthBridge
from bot.adapters.slack.api import Api
from bot.domain.core.anchors import Anchor
from bot.errors import AgentpodError, TimedOut, Transient
from tests.adapters.kube_bench import Handler, fixed, serving, talking_to
from tests.adapters.slack_bench import Counts

MIB = 1024 * 1024


@lru_cache
def packed(encoding: str) -> bytes:
    """40 MiB of zeros compressed to a few kilobytes, or with two encodings to a few bytes."""
    zeros = bytes(40 * MIB)
    found = zlib.compress(zeros, 1) if encoding == "deflate" else gzip.compress(zeros, 1)
    return gzip.compress(found) if "," in encoding else found


def bomb(encoding: str) -> Handler:
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=packed(encoding), headers=headers)

    return answer


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" " * MIB)


async def dripping(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.02)


async def kubernetes(port: int, path: Path, patch: pytest.MonkeyPatch) -> AgentpodError:
    async with talking_to(port, path, patch, timeout=1.0) as cluster:
        return await failure(cluster.deployment("d"))


async def pushgateway(port: int, _: Path, __: pytest.MonkeyPatch) -> AgentpodError:
    source = Pushgateway(f"http://127.0.0.1:{port}", timeout=1.0)
    try:
        return await failure(source.read(["x"]))
    finally:
        await source.close()


async def bridge(port: int, _: Path, __: pytest.MonkeyPatch) -> AgentpodError:
    made = HealthBridge(f"http://127.0.0.1:{port}/webhook", "t", timeout=1.0)
    try:
        return await failure(made.send({}))
    finally:
        await made.close()


async def slack(port: int, _: Path, __: pytest.MonkeyPatch) -> AgentpodError:
    api = Api("xoxb-made-up", f"http://127.0.0.1:{port}/api/", Counts())
    try:
        return await failure(api.once("users.info", 1.0))
    finally:
        await api.close()


async def response_url(port: int, _: Path, __: pytest.MonkeyPatch) -> AgentpodError:
    api = Api("xoxb-made-up", f"http://127.0.0.1:{port}/api/", Counts())
    try:
        return await failure(api.respond(f"http://127.0.0.1:{port}/commands/1", {}, 1.0))
    finally:
        await api.close()


async def dead_man(port: int, _: Path, __: pytest.MonkeyPatch) -> AgentpodError:
    return await failure(DeadMansSwitch(f"http://127.0.0.1:{port}/x", timeout=1.0).ping())


async def anchor_url(port: int, _: Path, __: pytest.MonkeyPatch) -> AgentpodError:
    made = AnchorUrl(f"http://127.0.0.1:{port}/x", "t", timeout=1.0)
    try:
        return await failure(made.send("k", Anchor(1, "a" * 64)))
    finally:
        await made.close()


async def failure(work: Awaitable[Any]) -> AgentpodError:
    with pytest.raises(AgentpodError) as caught:
        await work
    return caught.value


Reader = Callable[[int, Path, pytest.MonkeyPatch], Awaitable[AgentpodError]]
READERS = pytest.mark.parametrize(
    "reader", [kubernetes, pushgateway, bridge, slack, response_url, dead_man, anchor_url]
)


@READERS
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip", "br", "zstd", "gzip, identity"])
async def test_a_decompression_bomb_is_refused_before_it_is_expanded(
    reader: Reader, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(encoding)
    async with serving(bomb(encoding)) as port:
        tracemalloc.start()
        try:
            error = await reader(port, tmp_path, monkeypatch)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    plain = encoding in ("gzip", "deflate")
    assert ("larger than" if plain else f"it has the encoding “{encoding}”") in error.message
    assert peak < 72 * MIB if reader in (kubernetes, pushgateway) else peak < 16 * MIB


@READERS
@pytest.mark.parametrize("kind", [endless, dripping])
async def test_an_endless_answer_is_cut_off(
    reader: Reader, kind: Handler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(kind) as port:
        error = await reader(port, tmp_path, monkeypatch)
    assert isinstance(error, TimedOut) or "larger than" in error.message


async def test_gzip_that_fits_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = gzip.compress(b'{"status": "success", "data": []}')

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    async with serving(answer) as port:
        source = Pushgateway(f"http://127.0.0.1:{port}")
        assert list((await source.read(["x"])).groups) == []
        await source.close()


async def test_a_log_that_is_longer_than_asked_for_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(endless) as port, talking_to(port, tmp_path, monkeypatch, timeout=5.0) as cluster:
        log = await cluster.logs("p", "c", limit_bytes=1000)
    assert log.truncated


async def test_an_endless_refusal_is_still_reported_as_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=403, reason="Forbidden")
        await response.prepare(request)
        while True:
            await response.write(b"no " * 10_000)

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch, timeout=5.0) as cluster:
        error = await failure(cluster.deployment("d"))
    assert "refused to get deployments" in error.message


async def test_a_character_set_that_takes_minutes_to_decode_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(_: web.Request) -> web.Response:
        body = b'{"ok": true, "a": "' + b"a" * 2_000_000 + b'"}'
        return web.Response(body=body, headers={"Content-Type": "application/json; charset=punycode"})

    async with serving(answer) as port:
        api = Api("xoxb-made-up", f"http://127.0.0.1:{port}/api/", Counts())
        assert (await api.call("users.info", 5.0))["ok"] is True
        await api.close()


@pytest.mark.parametrize("reader", [kubernetes, pushgateway, bridge, slack, response_url])
async def test_a_retry_after_of_a_day_is_reported_at_once(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(fixed(429, b"", **{"Retry-After": "86400"})) as port:
        error = await reader(port, tmp_path, monkeypatch)
    assert type(error) is not TimedOut
    assert isinstance(error, Transient)
    assert error.retry_after == 120.0
    assert "It asked for a pause of 1 d; agentpod tries again after 2 min." in error.message


async def test_a_short_retry_after_of_slack_is_waited_for() -> None:
    tries: list[str] = []

    async def answer(_: web.Request) -> web.Response:
        tries.append("x")
        if len(tries) == 1:
            return web.json_response({"ok": False}, status=429, headers={"Retry-After": "0.1"})
        return web.json_response({"ok": True})

    async with serving(answer) as port:
        api = Api("xoxb-made-up", f"http://127.0.0.1:{port}/api/", Counts())
        assert (await api.call("users.info", 5.0))["ok"] is True
        await api.close()
    assert len(tries) == 2
