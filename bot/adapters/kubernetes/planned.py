"""The `Cluster` port for dry runs: records each call as it would be sent, and answers with a healthy pod made up.

The calls come from the same code as those that are sent.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from bot.adapters.kubernetes import log_stream
from bot.adapters.kubernetes.client import ApiResponse, Call, Connection
from bot.adapters.kubernetes.cluster import KubernetesCluster
from bot.adapters.kubernetes.exec_turns import ExecTurns
from bot.domain.approvals import egress_policy
from bot.domain.core.planned import POD, UID, VERSION, PlannedCalls
from bot.domain.core.target import Target
from bot.domain.core.workload import ClusterInfo, ExecResult, LogLine, LogStart, Pod, Service

_PROCESSES = "PID USER ELAPSED CMD\n1 root 00:10 init\n"
"""Else the other ways to list processes would be tried."""
_READY = [
    {"type": type_, "status": "True"} for type_ in ("Ready", "ContainersReady", "Initialized", "PodScheduled")
]

_QUOTED = re.compile(r"%3C(?:the|its|a|as)%20.*?%3E")
"""A placeholder in a path: it is shown as it is, everything else as it would be sent."""


class _PlannedConnection(Connection):
    """Sends nothing."""

    def __init__(self, calls: PlannedCalls, target: Target) -> None:
        self._calls, self._target = calls, target
        self.turns, self.timeout = ExecTurns(), 1.0

    @property
    def server(self) -> str:
        """Nothing is sent there."""
        return ""

    @property
    def route(self) -> Any:
        """Nothing is sent on it."""
        return None

    async def send(self, call: Call) -> ApiResponse:
        """Record the call, and make an answer up."""
        self.record(call)
        return ApiResponse(200, {}, _answer(call, self._target), "")

    def record(self, call: Call, *details: str) -> None:
        """Record the call with its query and body."""
        query = "&".join(f"{name}={value}" for name, value in call.query if name != "command")
        body = [f"{call.content_type}: {_shown(call.body)}"] if call.body is not None else []
        path = _QUOTED.sub(lambda match: unquote(match[0]), call.path)
        text = f"{call.method} {path}" + (f"?{query}" if query else "")
        self._calls.call(text, *body, *details)


class PlannedCluster(KubernetesCluster):
    """See the module."""

    def __init__(self, calls: PlannedCalls, target: Target, services: Collection[str] = ()) -> None:
        """``calls`` collects what would be sent to the target's cluster; ``services`` are those that it has."""
        self._planned = _PlannedConnection(calls, target)
        self._services = services
        super().__init__(self._planned, target.namespace, b"")

    async def info(self) -> ClusterInfo:
        """See the port."""
        await self._user()
        return ClusterInfo("", "", "", None, {})

    async def _user(self) -> str | None:
        self._planned.record(Call(self._right("get", "version"), "/version"))
        return None

    async def services(self) -> Sequence[Service]:
        """See the port."""
        self._planned.record(self._listing("services"))
        return [Service(name, "ClusterIP", cluster_ip=f"<the address of {name}>") for name in self._services]

    async def exec(
        self,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        limit_bytes: int = 0,  # noqa: ARG002 - nothing is read
        seconds: float | None = None,  # noqa: ARG002
    ) -> ExecResult:
        """See the port."""
        return self._run(pod, container, argv)

    async def run_once(
        self, pod: str, container: str, argv: Sequence[str], *, seconds: float, stdin: bytes | None = None
    ) -> ExecResult:
        """See the port. Of what is on stdin only the size is said."""
        given = [] if stdin is None else [f"with {len(stdin):,} {'byte' if len(stdin) == 1 else 'bytes'} on stdin"]
        return self._run(
            pod, container, argv, *given, f"within {seconds:g} s, at most once", stdin=stdin is not None
        )

    async def follow_log(
        self,
        pod: str,
        container: str,
        start: LogStart,
        seconds: float = 600.0,  # noqa: ARG002 - it ends at once
    ) -> AsyncGenerator[Sequence[LogLine], None]:
        """See the port."""
        self._planned.record(self._follow_call(pod, log_stream.query(container, start)))
        yield []

    async def authorized_keys(self, name: str, key: str) -> str:  # noqa: ARG002 - see the port
        """See the port."""
        await self._secret(name)
        return ""

    def _run(self, pod: str, container: str, argv: Sequence[str], *more: str, stdin: bool = False) -> ExecResult:
        call = self._exec_call(pod, container, argv, stdin=stdin)
        self._planned.record(call, f"argv in {container}: {json.dumps(list(argv), ensure_ascii=False)}", *more)
        return ExecResult(_PROCESSES if argv[0] == "ps" else "", "", 0)

    async def follow(
        self,
        selector: str,
        *,
        patience: float = 60.0,  # noqa: ARG002 - see the port
        pace: Any = None,  # noqa: ARG002
    ) -> AsyncGenerator[Sequence[Pod], None]:
        """See the port: the list, and the beginning of the watch."""
        pods = await self.pods(selector)
        listing = self._listing("pods", query=[("watch", "true"), ("labelSelector", selector)])
        self._planned.record(listing)
        yield pods


def _shown(body: Mapping[str, Any]) -> str:
    """The body as JSON; placeholders of values as such, not in base64."""
    return (
        json.dumps(body, ensure_ascii=False, default=str, sort_keys=False)
        if "data" not in body
        else json.dumps(
            {**body, "data": {key: value and _decoded(value) for key, value in body["data"].items()}},
            ensure_ascii=False,
        )
    )


def _decoded(value: str) -> str:
    try:
        text = base64.b64decode(value).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    return text if text.startswith("<") else "<a value>"


def _answer(call: Call, target: Target) -> bytes:
    resource, verb = call.right.resource, call.right.verb
    if call.right.subresource == "log":
        return b""
    if resource == "pods":
        found: Any = {"items": [_pod(target)]} if verb == "list" else _pod(target)
    elif resource == "deployments":
        found = _deployment(target) if verb != "list" else {"items": [_deployment(target)]}
    elif resource == "secrets":
        found = {"metadata": _metadata(call.right.name), "data": {}}
    elif resource == "ciliumnetworkpolicies" and verb == "get":
        judged = [{"type": "Valid", "status": "False", "message": egress_policy.LRU}]
        found = {"metadata": _metadata(call.right.name), "spec": {}, "status": {"conditions": judged}}
    elif resource == "selfsubjectaccessreviews":
        found = {"status": {"allowed": True}}
    elif resource == "selfsubjectrulesreviews":
        found = {"status": {"resourceRules": [], "nonResourceRules": [], "incomplete": False}}
    else:
        found = {"items": []} if verb == "list" else {"metadata": _metadata(call.right.name)}
    return json.dumps(found).encode()


def _metadata(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": "", "uid": UID, "resourceVersion": VERSION, "generation": 1}


def _pod(target: Target) -> dict[str, Any]:
    names = [one.name for one in target.containers]
    running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    return {
        "metadata": {**_metadata(POD), "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "nodeName": "<its node>",
            "containers": [{"name": name, "image": "<its image>"} for name in names],
        },
        "status": {
            "phase": "Running",
            "conditions": _READY,
            "containerStatuses": [
                {
                    "name": name,
                    "image": "<its image>",
                    "imageID": "",
                    "ready": True,
                    "restartCount": 0,
                    "state": running,
                }
                for name in names
            ],
        },
    }


def _deployment(target: Target) -> dict[str, Any]:
    containers = [{"name": one.name, "image": "<its image>"} for one in target.containers]
    return {
        "metadata": _metadata(target.deployment),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "<its strategy>"},
            "template": {"metadata": {"annotations": {}}, "spec": {"containers": containers}},
        },
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1},
    }
