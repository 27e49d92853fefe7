"""The admission policies for an agent pod of the control plane, and what an account is answered under them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPSConnection
from typing import Any
from urllib.parse import urlencode

from bot.domain.core.target import Target
from bot.domain.rbac.admission import GROUP, POLICY, RESOURCES
from bot.runbook.file.compiled import CompiledRunbook
from bot.wiring.admission import manifests
from tests.controlplane.agent_pod import APP, AgentPod, Object

BASE = f"/apis/{GROUP}/v1"
REFUSED = "ValidatingAdmissionPolicy 'agentpod."
"""What every refusal by one of the policies says."""


def target_of(pod: AgentPod, **settings: Any) -> Target:
    """The agent pod's target; ``settings`` are others than the defaults, such as ``egress``."""
    return Target.model_validate({"name": pod.namespace, "namespace": pod.namespace, **settings})


def policies_of(pod: AgentPod, book: CompiledRunbook, **settings: Any) -> list[Object]:
    """Its policies and bindings, as generated."""
    return manifests([target_of(pod, **settings)], {pod.namespace: book})


def path_of(thing: Object, *, named: bool = True) -> str:
    """The path of a policy or binding."""
    return f"{BASE}/{RESOURCES[thing['kind']]}" + (f"/{thing['metadata']['name']}" if named else "")


@contextmanager
def admission(pod: AgentPod, book: CompiledRunbook, **settings: Any) -> Iterator[list[Object]]:
    """Install the policies, wait until each has been type-checked and refuses; remove them afterwards."""
    things = policies_of(pod, book, **settings)
    for thing in things:
        pod.plane.call("POST", path_of(thing, named=False), thing)
    account = Caller(pod)
    try:
        for path in [path_of(thing) for thing in things if thing["kind"] == POLICY]:
            pod.until(partial(_observed, pod, path))
        # Each in turn: they come into force one by one.
        pod.until(lambda: account.exec(["no-such-command"]).refused)
        pod.until(lambda: account.patch(pod.deployment_path, {"metadata": {"labels": {"a": "b"}}}).refused)
        pod.until(lambda: account.patch(f"{pod.path}/secrets/agent-ssh-keys", {"data": {"x": "eA=="}}).refused)
        pod.until(lambda: account.delete(pod.pod()["metadata"]["name"], {}).refused)
        yield things
    finally:
        for thing in things:
            pod.plane.call("DELETE", path_of(thing))
        pod.until(lambda: not account.exec(["no-such-command"]).refused)
        account.close()


def _observed(pod: AgentPod, path: str) -> bool:
    found = pod.plane.call("GET", path)
    return bool(found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"])


@dataclass(frozen=True)
class Said:
    """The API server's answer."""

    status: int
    text: str

    @property
    def refused(self) -> bool:
        """Whether one of the policies refused."""
        return self.status == 403 and REFUSED in self.text

    @property
    def taken(self) -> bool:
        """Whether it would be done: an exec is taken where nothing but the upgrade to a stream is missing."""
        return self.status < 300 or (self.status == 400 and "pgrade request required" in self.text)


@dataclass
class Caller:
    """Calls the API server with nothing but an account's token; nothing that is taken is stored (dry run)."""

    pod: AgentPod
    account: str = "agentpod"
    _connection: HTTPSConnection | None = field(default=None, repr=False)
    _token: str = field(default="", repr=False)

    def call(self, method: str, path: str, body: Any = None, content: str = "application/json") -> Said:
        """One request."""
        if self._connection is None:
            self._connection = HTTPSConnection("127.0.0.1", self.pod.plane.port, context=self.pod.plane._tls())
            self._token = self.pod.token(self.account)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content}
        self._connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
        response = self._connection.getresponse()
        return Said(response.status, response.read().decode(errors="replace"))

    def exec(
        self,
        argv: Sequence[str],
        container: str | None = "kali",
        pod: str | None = None,
        method: str = "POST",
        **more: str,
    ) -> Said:
        """Ask to run a command, without the upgrade to a stream that would run it."""
        name = pod or self.pod.pod()["metadata"]["name"]
        query = [("stdout", "true"), ("stderr", "true"), *more.items(), *(("command", word) for word in argv)]
        query += [("container", container)] if container is not None else []
        return self.call(method, f"{self.pod.path}/pods/{name}/exec?{urlencode(query)}")

    def patch(self, path: str, body: Any, kind: str = "merge-patch+json") -> Said:
        """Ask to patch an object."""
        return self.call("PATCH", f"{path}?dryRun=All&fieldManager=agentpod", body, f"application/{kind}")

    def delete(self, pod: str, options: Mapping[str, Any]) -> Said:
        """Ask to delete a pod."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"], **options}
        return self.call("DELETE", f"{self.pod.path}/pods/{pod}", body)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()


def bare_pod(pod: AgentPod, name: str, labels: Mapping[str, str]) -> str:
    """Make another pod in the namespace; returns its uid."""
    body = {
        "metadata": {"name": name, "labels": dict(labels)},
        "spec": {"containers": [{"name": "kali", "image": "other"}]},
    }
    return str(pod.plane.call("POST", f"{pod.path}/pods", body)["metadata"]["uid"])


OWN_LABELS = {"app": APP}
