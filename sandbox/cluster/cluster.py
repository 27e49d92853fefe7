"""The pretend cluster as a whole: store, simulation, API server, faults, and kubeconfigs for it."""

from __future__ import annotations

import base64
import ssl
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import yaml

from sandbox.breaks import Break
from sandbox.cluster.faults import cluster_breaks
from sandbox.cluster.fixture import FixtureFile
from sandbox.cluster.listener import Listener
from sandbox.cluster.rbac import ADMIN, BOT, NAMESPACE
from sandbox.cluster.server import ApiServer, Latency
from sandbox.cluster.simulation import Simulation
from sandbox.cluster.store import Clock, Store, utc_now

ADMIN_TOKEN = "sandbox-admin-token"  # noqa: S105 - worth nothing outside the sandbox
BOT_TOKEN = "sandbox-agentpod-token"  # noqa: S105 - likewise


class PretendCluster:
    """A Kubernetes API on 127.0.0.1 with the agent pod in it.

    ``speed`` is the seconds that a restart of the pod takes (0: at once); ``clock`` gives the cluster's time.
    Use it as ``async with PretendCluster() as cluster``.
    """

    def __init__(
        self,
        *,
        speed: float = 3.0,
        clock: Clock = utc_now,
        port: int = 0,
        tls: bool = False,
        fixture: FixtureFile | None = None,
        pod_since: datetime | None = None,
    ) -> None:
        """Prepare a cluster without starting it; ``tls`` serves it over HTTPS with a self-signed certificate.

        ``pod_since`` is when the pod was created, `UPTIME` ago if it is not given.
        """
        self.store = Store(clock)
        self.simulation = Simulation(self.store, speed=speed, fixture=fixture)
        self.server = ApiServer(self.store, self.simulation, {ADMIN_TOKEN: ADMIN, BOT_TOKEN: BOT})
        self._folder = tempfile.TemporaryDirectory(prefix="pretend-cluster-") if tls else None
        self._certificate = _make_certificate(Path(self._folder.name)) if self._folder else None
        self.listener = Listener(self.server.app(), port, self._context())
        self.simulation.seed(pod_since)
        self.breaks: list[Break] = cluster_breaks(self.server, self.simulation, self.listener)

    @property
    def url(self) -> str:
        """The API server's address."""
        return self.listener.url

    @property
    def latency(self) -> Latency:
        """Seconds to wait before answering, by kind of request (``list pods``; ``*`` for all others)."""
        return self.server.latency

    @latency.setter
    def latency(self, value: Latency) -> None:
        self.server.latency = value

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        await self.listener.start()

    async def stop(self) -> None:
        """Close everything."""
        await self.simulation.stop()
        await self.listener.stop()
        if self._folder is not None:
            self._folder.cleanup()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    def kubeconfig(self, path: Path, user: Literal["admin", "agentpod"] = "agentpod") -> Path:
        """Write a kubeconfig (mode 600) for ``user`` and return its path."""
        token = ADMIN_TOKEN if user == "admin" else BOT_TOKEN
        cluster: dict[str, str] = {"server": self.url if self._certificate else f"{self.url}/as/{user}"}
        if self._certificate is not None:
            cluster["certificate-authority-data"] = base64.b64encode(self._certificate[0].read_bytes()).decode()
        context = {"cluster": "sandbox", "user": user, "namespace": NAMESPACE}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "sandbox", "context": context}],
            "current-context": "sandbox",
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return path

    def _context(self) -> ssl.SSLContext | None:
        if self._certificate is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self._certificate)
        return context


def _make_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key. Raises CalledProcessError."""
    certificate, key = folder / "server.pem", folder / "server.key"
    subject = ["-subj", "/CN=pretend-cluster", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
    command = ["openssl", "req", "-x509", *curve, *subject, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - fixed words
    return certificate, key
