"""The same agent pod twice, behind the pretend cluster and behind a real control plane, for the contract tests."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from bot.adapters.kubernetes import KubernetesCluster
from sandbox.breaks import Breaks
from sandbox.cluster import PretendCluster
from sandbox.cluster.rbac import NAMESPACE
from tests.controlplane.agent_pod import KUBECTL, AgentPod

Port = KubernetesCluster
BREAKS = {"crash-loop": "pod-crash", "oom-killed": "pod-oom", "config-error": "pod-config-error"}


@dataclass
class Stand:
    """One of the two clusters: ports with the bot's and with all rights, and kubectl as administrator."""

    name: str
    namespace: str
    application: str
    cluster: Port
    admin: Port
    admin_config: Path
    _play: Callable[[str], Awaitable[None]]
    write: Callable[[str], None]
    """Adds a line to the container's log."""

    @property
    def real(self) -> bool:
        """Whether this is the real control plane."""
        return self.name == "real"

    async def kubectl(self, *words: str, stdin: str = "") -> str:
        """Run kubectl as administrator in the namespace, for its output. Raises AssertionError with its error."""
        command = [KUBECTL, f"--kubeconfig={self.admin_config}", f"--namespace={self.namespace}", *words]
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"HOME": str(self.admin_config.parent), "PATH": os.environ["PATH"]},
        )
        out, err = await process.communicate(stdin.encode())
        assert process.returncode == 0, err.decode()
        return out.decode()

    async def play(self, what: str) -> None:
        """Put the pod into the state ``crash-loop``, ``oom-killed`` or ``config-error``."""
        await self._play(what)

    def here(self, text: str) -> str:
        """The server's text, with the handbook's name for the namespace."""
        return text.replace(self.namespace, NAMESPACE)


async def connect(kubeconfig: Path, namespace: str) -> Port:
    """The port for a kubeconfig, which the client finds by KUBECONFIG."""
    with patch.dict(os.environ, {"KUBECONFIG": str(kubeconfig)}):
        return await Port.connect(namespace, timeout=5.0, fingerprints=b"key")


@asynccontextmanager
async def pretend_stand(folder: Path) -> AsyncIterator[Stand]:
    """The pretend cluster, doing everything at once."""
    async with PretendCluster(speed=0) as pretend:
        bot, admin = (pretend.kubeconfig(folder / user, user) for user in ("agentpod", "admin"))

        async def play(what: str) -> None:
            await Breaks(pretend.breaks).apply(BREAKS[what], True)

        async with _both(bot, admin, NAMESPACE) as (cluster, master):
            yield Stand(
                "pretend", NAMESPACE, NAMESPACE, cluster, master, admin, play, pretend.simulation.write_log
            )


@asynccontextmanager
async def real_stand(pod: AgentPod) -> AsyncIterator[Stand]:
    """A namespace of the real control plane."""
    pod.install_argocd()
    pod.install_egress()
    admin = pod.plane.folder / "admin.kubeconfig"

    async def play(what: str) -> None:
        pod.play(what)

    async with _both(pod.kubeconfig(), admin, pod.namespace) as (cluster, master):
        yield Stand("real", pod.namespace, pod.namespace, cluster, master, admin, play, pod.log_more)


@asynccontextmanager
async def _both(
    bot: Path, admin: Path, namespace: str
) -> AsyncIterator[tuple[KubernetesCluster, KubernetesCluster]]:
    cluster, master = await connect(bot, namespace), await connect(admin, namespace)
    try:
        yield cluster, master
    finally:
        await cluster.close()
        await master.close()
