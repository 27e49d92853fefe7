"""A followed log: what is asked of the API, and how its stream is cut into lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from aiohttp import web

from bot.adapters.kubernetes import log_stream
from bot.domain.core.workload import LogLine, LogStart
from bot.errors import NotAllowed, NotFound, Transient
from tests.adapters.kube_bench import Handler, absent, api_status, fixed, serving, talking_to

STAMP = "2026-11-23T22:41:07.123456789Z"


@asynccontextmanager
async def lines_of(
    handler: Handler,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float = 10.0,
) -> AsyncIterator[AsyncIterator[Sequence[LogLine]]]:
    async with (
        serving(handler) as port,
        talking_to(port, tmp_path, monkeypatch) as cluster,
        aclosing(cluster.follow_log("p", "kali", LogStart(), seconds)) as found,
    ):
        yield found


def streaming(*parts: bytes, hold: bool = False) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts:
            await response.write(part)
            await asyncio.sleep(0.01)
        if hold:
            await asyncio.Event().wait()
        return response

    return answer


async def all_of(found: AsyncIterator[Sequence[LogLine]]) -> list[LogLine]:
    return [line async for lines in found for line in lines]


def test_the_query_asks_for_times_and_either_start() -> None:
    usual = [("container", "kali"), ("follow", "true"), ("timestamps", "true")]
    assert log_stream.query("kali", LogStart(timedelta(seconds=1.2), tail=10)) == [
        *usual,
        ("sinceSeconds", "2"),
        ("tailLines", "10"),
    ]
    at = datetime(2026, 11, 24, 0, 41, 7, tzinfo=timezone(timedelta(hours=2)))
    assert log_stream.query("kali", LogStart(timedelta(hours=1), at)) == [
        *usual,
        ("sinceTime", "2026-11-23T22:41:07Z"),
    ]


async def test_lines_are_put_together_from_the_parts_that_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = (f"{STAMP} a li".encode(), f"ne\n{STAMP} \n{STAMP} über\r\n{STAMP} no e".encode(), b"nd")
    async with lines_of(streaming(*parts), tmp_path, monkeypatch) as found:
        assert await all_of(found) == [
            LogLine(STAMP, "a line"),
            LogLine(STAMP, ""),
            LogLine(STAMP, "über"),
            LogLine(STAMP, "no end"),
        ]


async def test_a_line_without_an_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = [f"{STAMP} ".encode(), *[b"x" * 100_000] * 30, f"\n{STAMP} next\n".encode()]
    async with lines_of(streaming(*huge), tmp_path, monkeypatch) as found:
        first, second = await all_of(found)
        assert first.text.endswith("…")
        assert len(first.text.removesuffix("…")) + len(first.at) + 1 == log_stream.MAX_LINE
        assert second.text == "next"


async def test_a_kubelet_s_sentence_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = streaming(b"unable to retrieve container logs for containerd://4f2a")
    async with lines_of(gone, tmp_path, monkeypatch) as found:
        with pytest.raises(NotFound, match="its file is gone from the node"):
            await all_of(found)


@pytest.mark.parametrize(
    ("code", "body", "error"),
    [
        (403, api_status('pods "p" is forbidden: User "x" cannot get resource "pods/log"'), NotAllowed),
        (404, absent("p", "pods"), NotFound),
        (503, api_status("the server is away"), Transient),
    ],
)
async def test_a_refusal_is_raised_at_the_start(
    code: int, body: bytes, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lines_of(fixed(code, body), tmp_path, monkeypatch) as found:
        with pytest.raises(error):
            await all_of(found)


async def test_its_time_ends_a_stream_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with lines_of(streaming(hold=True), tmp_path, monkeypatch, seconds=0.2) as found:
        with pytest.raises(Transient):
            await all_of(found)
