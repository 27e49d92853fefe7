"""Commands that change something: sent once each, and an unknown end is never taken for "not run"."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from bot.adapters.kubernetes import KubernetesCluster
from bot.errors import NotAllowed, NotFound, Permanent, Transient, Uncertain
from sandbox.breaks import Breaks
from sandbox.cluster import PretendCluster
from tests.adapters.kube_bench import SELECTOR, Handler, serving, talking_to

SUCCESS = b"\x03" + json.dumps({"status": "Success"}).encode()


def frames(*sent: bytes, together: asyncio.Barrier | None = None) -> Handler:
    """A server that upgrades, sends these frames and closes; once so many requests are there, if ``together``."""

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        if together is not None:
            await together.wait()
        for frame in sent:
            await socket.send_bytes(frame)
        await socket.close()
        return socket

    return answer


def refusing(status: int) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="no")

    return answer


async def test_the_result_is_that_of_the_command(admin: KubernetesCluster) -> None:
    [pod] = await admin.pods(SELECTOR)
    result = await admin.run_once(pod.name, "kali", ["id", "-u"], seconds=2.0)
    assert (result.exit_code, result.stdout) == (0, "1000\n")
    assert (await admin.run_once(pod.name, "kali", ["no-such-binary"], seconds=2.0)).exit_code == 127


@pytest.mark.parametrize(("protocol", "closes"), [("v5.channel.k8s.io", True), ("v4.channel.k8s.io", False)])
async def test_its_input_is_sent_whole_and_closed_where_that_can_be(
    protocol: str, closes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytes(range(256)) * 400
    received: list[bytes] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.query.getall("stdin") == ["true"]
        socket = web.WebSocketResponse(protocols=(protocol,))
        await socket.prepare(request)
        while sum(len(one) - 1 for one in received) < len(data) + closes:
            received.append((await socket.receive(1.0)).data)
        await socket.send_bytes(SUCCESS)
        await socket.close()
        return socket

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        result = await cluster.run_once("p", "c", ["dd", f"count={len(data)}"], seconds=5.0, stdin=data)
    assert result.exit_code == 0
    assert [one for one in received if one[0] != 0] == ([b"\xff\x00"] if closes else [])
    assert b"".join(one[1:] for one in received if one[0] == 0) == data


async def test_a_command_that_ends_before_it_has_its_input_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = {"status": "Failure", "message": "command terminated with exit code 1"}
    handler = frames(b"\x02dd: permission denied\n", b"\x03" + json.dumps(failed).encode())
    async with serving(handler) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        result = await cluster.run_once("p", "c", ["dd"], seconds=5.0, stdin=b"x" * 4_000_000)
    assert (result.exit_code, result.stderr) == (1, "dd: permission denied\n")


async def test_a_server_that_leaves_while_the_input_is_sent_is_uncertain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(frames()) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Uncertain) as caught:
            await cluster.run_once("p", "c", ["dd"], seconds=5.0, stdin=b"content" * 1_000_000)
    assert "content" not in str(caught.value)


async def test_a_long_output_is_read_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [b"\x01" + b"a line\n" * 4000] * 20
    async with serving(frames(*lines, SUCCESS)) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        result = await cluster.run_once("p", "c", ["x"], seconds=5.0)
    assert (result.exit_code, result.truncated) == (0, True)
    assert len(result.stdout) <= 64 * 1024


async def test_of_a_long_output_whole_lines_of_its_end_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [b"\x01" + b"x" * 70_000 + b"secret\n" + b"a line\n" * 9000, b"\x01the last\n", b"\x02an error\n"]
    async with serving(frames(*lines, SUCCESS)) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        result = await cluster.run_once("p", "c", ["x"], seconds=5.0)
    assert result.truncated
    assert (set(result.stdout.split("\n")[:-2]), result.stderr) == ({"a line"}, "an error\n")
    assert result.stdout.endswith("a line\nthe last\n")


async def test_a_line_that_is_longer_than_what_is_kept_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [b"\x01" + b"x" * 70_000 + b"secret\n", b"\x01the last\n"]
    async with serving(frames(*lines, SUCCESS)) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        result = await cluster.run_once("p", "c", ["x"], seconds=5.0)
    assert (result.stdout, result.truncated) == ("the last\n", True)


async def test_two_at_the_same_moment_are_both_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = frames(SUCCESS, together=asyncio.Barrier(2))
    async with serving(handler) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        results = await asyncio.gather(*(cluster.run_once("p", "c", ["x"], seconds=5.0) for _ in range(2)))
    assert [result.exit_code for result in results] == [0, 0]


@pytest.mark.parametrize("sent", [(), (b"\x01half",), (b"\x03no json",)])
async def test_no_word_of_the_end_is_uncertain(
    sent: tuple[bytes, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(frames(*sent)) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Uncertain, match="unknown whether the command ran"):
            await cluster.run_once("p", "c", ["x"], seconds=2.0)


async def test_a_runtime_s_own_failure_is_uncertain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"status": "Failure", "reason": "InternalError", "message": "context deadline exceeded"}
    handler = frames(b"\x03" + json.dumps(failed).encode())
    async with serving(handler) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Uncertain, match="context deadline exceeded"):
            await cluster.run_once("p", "c", ["x"], seconds=2.0)


async def test_a_command_without_end_is_uncertain(admin: KubernetesCluster, pretend: PretendCluster) -> None:
    [pod] = await admin.pods(SELECTOR)
    await Breaks(pretend.breaks).apply("pod-exec-hangs", True)
    with pytest.raises(Uncertain, match=r"no answer in 0\.2 s"):
        await admin.run_once(pod.name, "kali", ["id"], seconds=0.2)


@pytest.mark.parametrize(("status", "error"), [(403, NotAllowed), (404, Permanent), (429, Transient)])
async def test_a_refusal_means_that_nothing_ran(
    status: int, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(refusing(status)) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(error) as caught:
            await cluster.run_once("p", "c", ["x"], seconds=2.0)
    assert not isinstance(caught.value, Uncertain)


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_server_error_may_have_passed_it_on(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(refusing(status)) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Uncertain):
            await cluster.run_once("p", "c", ["x"], seconds=2.0)


async def test_a_server_that_is_not_reached_ran_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(refusing(500)) as port:
        pass
    async with talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Transient) as caught:
            await cluster.run_once("p", "c", ["x"], seconds=2.0)
    assert not isinstance(caught.value, Uncertain)


async def test_a_container_that_does_not_run_ran_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = 'unable to upgrade connection: container not found ("kali")'
    failed = {"status": "Failure", "reason": "InternalError", "message": said}
    handler = frames(b"\x03" + json.dumps(failed).encode())
    async with serving(handler) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(NotFound):
            await cluster.run_once("p", "c", ["x"], seconds=2.0)
