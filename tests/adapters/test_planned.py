"""Dry runs: the recorded calls are those that are sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.kubernetes.planned import PlannedCluster
from bot.domain.core.planned import PlannedCalls
from bot.domain.core.target import Target
from bot.domain.core.workload import Deployment, Pod
from bot.ports.cluster import Cluster
from tests.adapters.kube_bench import serving, talking_to

TARGET = Target(namespace="n")
DEPLOYMENT = Deployment(TARGET.deployment, "u-1", resource_version="7")
SELECTOR = TARGET.selector


async def _restart(cluster: Cluster) -> None:
    await cluster.restart(DEPLOYMENT, {"agentpod.dev/approval": "r-1"})


async def _delete(cluster: Cluster) -> None:
    await cluster.delete_pod(Pod("pod-1", "u-2", "Running"))


async def _read(cluster: Cluster) -> None:
    await cluster.deployment(TARGET.deployment)
    await cluster.pods(SELECTOR)
    await cluster.logs("pod-1", "kali", tail=5)


async def _run(cluster: Cluster) -> None:
    await cluster.run_once("pod-1", "kali", ["rm", "-f", "/run/x y"], seconds=2.0)
    await cluster.run_once("pod-1", "kali", ["dd", "count=7"], seconds=2.0, stdin=b"content")
    await cluster.exec("pod-1", "kali", ["id"])


@pytest.mark.parametrize("work", [_restart, _delete, _read, _run])
async def test_the_recorded_calls_are_those_that_are_sent(
    work: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.text()
        query = "&".join(f"{name}={value}" for name, value in request.query.items() if name != "command")
        line = f"{request.method} {request.path}" + (f"?{query}" if query else "")
        sent.append(f"{line} {json.loads(body) if body else ''}".strip())
        if argv := request.query.getall("command", []):
            sent[-1] += f" {argv}"
            socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
            await socket.prepare(request)
            await socket.send_bytes(b'\x03{"status":"Success"}')
            await socket.close()
            return socket
        meta = {"name": "x", "uid": "u", "resourceVersion": "8"}
        return web.json_response({"metadata": meta, "items": []})

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        await work(cluster)
    calls = PlannedCalls()
    await work(PlannedCluster(calls, TARGET))
    assert calls.count == len(sent)
    assert _comparable(calls.lines) == sent


def _comparable(lines: list[str]) -> list[str]:
    """Each planned call in one line, with its body or its argv."""
    made: list[str] = []
    for line in lines:
        if not line.startswith("   "):
            made.append(line.partition(". ")[2])
        elif "argv in " in line or "json: " in line:
            made[-1] += f" {json.loads(line.partition(': ')[2])}"
    return made


async def test_a_value_is_never_shown() -> None:
    calls = PlannedCalls()
    cluster = PlannedCluster(calls, TARGET)
    seen = await cluster.secret("s")
    await cluster.set_secret_key(seen, "KEY", b"hunter2-secret", {})
    await cluster.set_secret_key(seen, "KEY", b"<the value from the form>", {})
    text = "\n".join(calls.lines)
    assert "hunter2" not in text
    assert '"KEY": "<a value>"' in text
    assert '"KEY": "<the value from the form>"' in text


async def test_of_a_command_s_input_only_the_size_is_shown() -> None:
    calls = PlannedCalls()
    await PlannedCluster(calls, TARGET).run_once("p", "kali", ["dd"], seconds=2.0, stdin=b"content" * 300)
    text = "\n".join(calls.lines)
    assert "with 2,100 bytes on stdin" in text
    assert "content" not in text
