"""Helpers for the tests of the Kubernetes adapter: a kubeconfig, and API servers with scripted answers."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.kubernetes import KubernetesCluster

NAMESPACE = "secure-agent-pod"
SELECTOR = "app=secure-agent-pod"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def write_kubeconfig(path: Path, server: str, *, token: str = "made-up", **cluster: object) -> Path:  # noqa: S107
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def talking_to(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> AsyncIterator[Any]:
    server = options.pop("server", f"http://127.0.0.1:{port}")
    seconds = options.pop("timeout", 1.0)
    monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path / "config", server, **options)))
    found = await KubernetesCluster.connect("n", timeout=seconds)
    try:
        yield found
    finally:
        await found.close()


def fixed(code: int, body: bytes, **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=code, body=body, headers=headers)

    return answer


def absent(name: str, kind: str) -> bytes:
    """Return the Status of an object that does not exist."""
    details = {"name": name, "kind": kind}
    message = f'{kind} "{name}" not found'
    return json.dumps({"kind": "Status", "reason": "NotFound", "message": message, "details": details}).encode()


def api_status(message: str) -> bytes:
    return json.dumps({"kind": "Status", "status": "Failure", "message": message}).encode()
