"""A real control plane on free ports of this machine: etcd, API server, controller manager, scheduler, and kwok.

kwok simulates the node and its kubelet: pods scheduled there become ready by themselves, `logs` come from files,
and `exec` is answered from a folder. The flags follow the components' reference, tested with Kubernetes 1.37.
"""

from __future__ import annotations

import io
import json
import select
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from sandbox.environment import free_port

HERE = Path(__file__).parent
NODE = "gpu-1"
ADMIN_TOKEN = "control-plane-admin"
COMMANDS = ("id", "ps", "df", "du", "ls", "cat", "wc", "curl", "printenv", "sh", "kill", "true", "false")
COMMANDS += ("dd", "cp", "install", "mv", "rm", "sha256sum", "stat", "find", "test")
"""The programs in a container. Any other name is not found, as in an image without it."""
READY_SECONDS = 60.0
SETPRIV = shutil.which("setpriv") or "/usr/bin/setpriv"
"""From util-linux, which every Debian has."""


class Plane:
    """The five processes, started and stopped together. Use it as ``with Plane(binaries) as plane``."""

    def __init__(self, binaries: Path, folder: Path | None = None, node_grace: int | None = None) -> None:
        """``binaries`` as built by `tests.controlplane.build`; ``folder`` holds all state (default: temporary).

        ``node_grace``: seconds of silence after which a node counts as lost (default Kubernetes' own 50).
        """
        self.binaries = binaries
        self.node_grace = node_grace
        self._own = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="agentpod-control-plane-"))
        self.port, self._etcd, self._peer, self._scheduler, self._kubelet = (free_port() for _ in range(5))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._trust: ssl.SSLContext | None = None
        self._idle: deque[HTTPSConnection] = deque()
        """Idle connections to the API server; opening one costs it more than a typical call."""

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        """The certificate to verify the API server with."""
        return self.folder / "pki" / "apiserver.crt"

    def __enter__(self) -> Self:
        """Start."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything and delete all state."""
        self.stop()

    def start(self) -> None:
        """Start all processes and wait until pods can be scheduled. Raises RuntimeError with the output."""
        self._make_key()
        self._make_containers()
        self.run("etcd")
        self.run("kube-apiserver")
        self.wait_ready()
        self.kubeconfig(self.folder / "admin.kubeconfig", ADMIN_TOKEN)
        for name in ("kube-controller-manager", "kube-scheduler"):
            self.run(name)
        for definition in ("ClusterExec", "ClusterLogs"):
            self.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", _kwok_crd(definition))
        self._wait_until_served("/apis/kwok.x-k8s.io/v1alpha1/clusterexecs")
        self.run("kwok")
        self.call("POST", "/api/v1/nodes", _node())
        self._wait_until_served("/api/v1/namespaces/default/serviceaccounts/default")

    def stop(self) -> None:
        """End all processes, in reverse order of their start, and delete all state."""
        while self._idle:
            self._idle.pop().close()
        for name in reversed(list(self.processes)):
            self.end(name)
        if self._own:
            shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, name: str) -> None:
        """Start one process, which ends when this process does, however that ends."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                # Also on SIGKILL: the kernel ends it with its parent.
                [SETPRIV, "--pdeathsig", "KILL", "--", str(self.binaries / name), *self._arguments(name)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env={"PATH": str(self.folder / "bin")} if name == "kwok" else {"PATH": "/usr/bin:/bin"},
                # Ctrl-C in a terminal should reach this process only, which ends the others in order.
                start_new_session=True,
            )

    def end(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Kill one process; an orderly end takes longer and is only needed where a test is about it."""
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait()

    def wait_ready(self) -> None:
        """Wait for the API server's ``/readyz``. Raises RuntimeError with its output if it never succeeds."""
        self._wait_until_served("/readyz")

    def _wait_until_served(self, path: str) -> None:
        end = time.monotonic() + READY_SECONDS
        while True:
            try:
                self.call("GET", path)
            except (urllib.error.URLError, OSError) as error:
                dead = [name for name, process in self.processes.items() if process.poll() is not None]
                if dead or time.monotonic() > end:
                    culprit = dead[0] if dead else "kube-apiserver"
                    raise RuntimeError(f"{path}: {error}\n{culprit} said:\n{self.output(culprit)}") from error
                time.sleep(0.05)
            else:
                return

    def mend(self) -> None:
        """Restart what was ended, and what depends on the API server and would otherwise wait for half a minute.

        A controller's back-off doubles with each outage and resets only after two good minutes.
        """
        for name in ("etcd", "kube-apiserver"):
            if name not in self.processes:
                self.run(name)
        self.wait_ready()
        names = ("kube-controller-manager", "kube-scheduler", "kwok")
        for name in names:
            if name in self.processes:
                self.end(name)
        # Otherwise the new kwok waits until the old one's lease of the node expires.
        leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        self.call("DELETE", leases)
        for name in names:
            self.run(name)

    def forget(self) -> None:
        """Compact etcd's history (by its JSON gateway, ``/v3/kv/compaction``)."""
        current = self._ask_etcd("maintenance/status", {})["header"]["revision"]
        self._ask_etcd("kv/compaction", {"revision": current, "physical": True})

    def _ask_etcd(self, method: str, body: Any) -> Any:
        url = f"http://127.0.0.1:{self._etcd}/v3/{method}"
        with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=10) as answer:
            return json.load(answer)

    def output(self, name: str) -> str:
        """The end of a process's output."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]

    def call(self, method: str, path: str, body: Any = None, content: str = "application/json") -> Any:
        """Send one request as the administrator; returns JSON or text. HTTPError has the server's message."""
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": content}
        data = None if body is None else json.dumps(body).encode()
        connection = self._connection()
        try:
            response = _answer(connection, method, path, data, headers)
            text = response.read().decode()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        if response.status >= HTTPStatus.BAD_REQUEST:
            what = f"{method} {path}: {text}"
            raise urllib.error.HTTPError(
                self.url + path, response.status, what, response.headers, io.BytesIO(text.encode())
            )
        return json.loads(text) if text.startswith("{") else text

    def _connection(self) -> HTTPSConnection:
        """An idle connection, else a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.sock is not None and not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()  # readable while idle means closed: that server is gone
        return HTTPSConnection("127.0.0.1", self.port, timeout=10, context=self._tls())

    def _tls(self) -> ssl.SSLContext:
        # The API server generates its certificate at its first start.
        if self._trust is None and self.certificate.exists():
            self._trust = ssl.create_default_context(cafile=str(self.certificate))
        return self._trust or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def kubeconfig(self, path: Path, token: str, namespace: str = "secure-agent-pod") -> Path:
        """Write a kubeconfig (mode 600) for a bearer token."""
        cluster = {"server": self.url, "certificate-authority": str(self.certificate)}
        path.touch(mode=0o600)
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "control-plane", "cluster": cluster}],
            "users": [{"name": path.stem, "user": {"token": token}}],
            "contexts": [
                {
                    "name": "control-plane",
                    "context": {"cluster": "control-plane", "user": path.stem, "namespace": namespace},
                }
            ],
            "current-context": "control-plane",
        }
        path.write_text(yaml.safe_dump(document))
        return path

    def _make_key(self) -> None:
        """Make the RSA key that signs and verifies service account tokens."""
        (self.folder / "pki").mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["openssl", "genrsa", "-traditional", "-out", str(self.folder / "service-accounts.key"), "2048"],
            check=True,
            capture_output=True,
        )
        (self.folder / "tokens.csv").write_text(f'{ADMIN_TOKEN},admin,admin,"system:masters"\n')

    def _make_containers(self) -> None:
        """Make the PATH for kwok, which runs an exec's command as it is: only our wrapper, under many names."""
        (self.folder / "bin").mkdir(exist_ok=True)
        wrapper = self.folder / "bin" / "answer"
        wrapper.write_text(f"#!{sys.executable} -IS\n" + (HERE / "answer.py").read_text())
        wrapper.chmod(0o755)
        for name in COMMANDS:
            (self.folder / "bin" / name).unlink(missing_ok=True)
            (self.folder / "bin" / name).symlink_to("answer")

    def _arguments(self, name: str) -> Sequence[str]:
        return {
            "etcd": self._etcd_arguments,
            "kube-apiserver": self._apiserver_arguments,
            "kube-controller-manager": self._manager_arguments,
            "kube-scheduler": self._scheduler_arguments,
            "kwok": self._kwok_arguments,
        }[name]()

    def _etcd_arguments(self) -> Sequence[str]:
        client, peer = f"http://127.0.0.1:{self._etcd}", f"http://127.0.0.1:{self._peer}"
        return (
            f"--data-dir={self.folder / 'etcd'}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--log-level=warn",
        )

    def _apiserver_arguments(self) -> Sequence[str]:
        key = self.folder / "service-accounts.key"
        return (
            f"--etcd-servers=http://127.0.0.1:{self._etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self.folder / 'pki'}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--allow-privileged=true",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--endpoint-reconciler-type=none",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--v=1",
        )

    def _manager_arguments(self) -> Sequence[str]:
        return (
            f"--kubeconfig={self.folder / 'admin.kubeconfig'}",
            "--controllers=*,-nodeipam",
            "--leader-elect=false",
            "--secure-port=0",
            "--use-service-account-credentials=false",
            f"--service-account-private-key-file={self.folder / 'service-accounts.key'}",
            f"--root-ca-file={self.certificate}",
            # Claims, quotas and orphans are synced often enough for a test.
            "--pvclaimbinder-sync-period=1s",
            "--resource-quota-sync-period=5s",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
            *(
                (f"--node-monitor-grace-period={self.node_grace}s", "--node-monitor-period=1s")
                if self.node_grace
                else ()
            ),
        )

    def _scheduler_arguments(self) -> Sequence[str]:
        return (
            f"--kubeconfig={self.folder / 'admin.kubeconfig'}",
            "--leader-elect=false",
            f"--secure-port={self._scheduler}",
            "--bind-address=127.0.0.1",
        )

    def _kwok_arguments(self) -> Sequence[str]:
        return (
            f"--kubeconfig={self.folder / 'admin.kubeconfig'}",
            f"--config={HERE / 'kwok.yaml'}",
            "--manage-all-nodes=true",
            "--node-ip=127.0.0.1",
            f"--node-port={self._kubelet}",
            f"--server-address=127.0.0.1:{self._kubelet}",
            f"--tls-cert-file={self.certificate}",
            f"--tls-private-key-file={self.folder / 'pki' / 'apiserver.key'}",
            "--enable-crds=ClusterExec,ClusterLogs",
            # A lease is renewed after a quarter of this time.
            *((f"--node-lease-duration-seconds={self.node_grace}",) if self.node_grace else ()),
        )


def _answer(
    connection: HTTPSConnection, method: str, path: str, data: bytes | None, headers: dict[str, str]
) -> HTTPResponse:
    try:
        connection.request(method, path, data, headers)
    except OSError as error:
        raise urllib.error.URLError(error) from error
    return connection.getresponse()


def _node() -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels}}


def _kwok_crd(kind: str) -> dict[str, Any]:
    """A minimal definition of kwok's kind: cluster-scoped, with any content."""
    plural = f"{kind.lower().removesuffix('s')}s"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": schema,
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.kwok.x-k8s.io",
            "annotations": {"api-approved.kubernetes.io": "unapproved, a test's own copy"},
        },
        "spec": {
            "group": "kwok.x-k8s.io",
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "scope": "Cluster",
            "versions": [version],
        },
    }
