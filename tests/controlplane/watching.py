"""Helpers to run the real bot on an agent pod of the control plane, and to wait for its answers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bot.adapters.kubernetes import KubernetesCluster
from bot.adapters.kubernetes.client import Connection
from sandbox.environment import Sandbox
from tests.controlplane.agent_pod import AgentPod
from tests.scenarios.talk import Answer, World

PATIENCE = 20.0
"""Seconds until a missing answer is a failure; a passing test never waits that long."""
SERVER, ETCD = "kube-apiserver", "etcd"
"""The two processes that tests kill."""
HEALTHY = "Healthy"
"""In the first line when every check is ok; a warning may be of what earlier tests did to the pod."""


@asynccontextmanager
async def watching(
    pod: AgentPod,
    *,
    kubeconfig: Path | None = None,
    argocd: bool = False,
    probe: str = "5s",
    alerts: Mapping[str, Any] | None = None,
) -> AsyncIterator[World]:
    """Run the bot in a process with only its ServiceAccount's token; ``probe`` is the probes' deadline.

    ``alerts`` are settings of that name; without them the usual ones hold.
    """
    target: Mapping[str, Any] = pod.where() if argocd else pod.where() | {"argocd": None}
    sandbox = Sandbox(
        rate_limits=False,
        kubeconfig=kubeconfig or pod.kubeconfig(),
        target=target,
        settings={"probes": {"timeout": probe}} | ({"alerts": dict(alerts)} if alerts else {}),
    )
    async with sandbox:
        yield World(sandbox, await sandbox.start_bot())


@asynccontextmanager
async def port(kubeconfig: Path, namespace: str, seconds: float = 5.0) -> AsyncIterator[KubernetesCluster]:
    """The Cluster port on a kubeconfig, which it may read again as long as this lasts. ``seconds`` a call."""
    with patch.dict(os.environ, {"KUBECONFIG": str(kubeconfig)}):
        cluster = await KubernetesCluster.connect(namespace, timeout=seconds)
        try:
            yield cluster
        finally:
            await cluster.close()


@asynccontextmanager
async def connection(kubeconfig: Path) -> AsyncIterator[Connection]:
    """The connection under the Cluster port, for kinds for which the port has no method."""
    with patch.dict(os.environ, {"KUBECONFIG": str(kubeconfig)}):
        found = await Connection.open(None, 5.0)
        try:
            yield found
        finally:
            await found.close()


async def comes_to_say(world: World, *words: str, command: str = "status") -> Answer:
    """Repeat a command until the first line and the rest contain all ``words``. Fails with the last answer."""
    end = time.monotonic() + PATIENCE
    while True:
        answer = await world.ask(command)
        missing = [word for word in words if word not in answer.text]
        if not missing:
            return answer
        assert time.monotonic() < end, f"{missing} not in: {answer.text}"
        await asyncio.sleep(0.1)


async def comes_true(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Poll until ``condition()`` holds. Fails with ``what``."""
    end = time.monotonic() + PATIENCE
    while not await condition():
        assert time.monotonic() < end, f"not in {PATIENCE:g} s: {what}"
        await asyncio.sleep(0.05)
