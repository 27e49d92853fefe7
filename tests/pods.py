"""Pods as returned by the API server, for tests of the verdicts on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bot.adapters.kubernetes import facts, shapes
from bot.domain.core.workload import Condition, Container, Pod

READY = tuple(
    Condition(kind, "True")
    for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
)


def conditions(containers: Sequence[Container]) -> tuple[Condition, ...]:
    """The conditions that the kubelet sets for these containers."""
    if containers and all(c.ready for c in containers):
        return READY
    said = f"containers with unready status: [{' '.join(c.name for c in containers if not c.ready)}]"
    unready = [Condition(k, "False", "ContainersNotReady", said) for k in ("Ready", "ContainersReady")]
    return tuple(next((u for u in unready if u.type == c.type), c) for c in READY)


def api(
    *containers: dict[str, Any],
    inits: Sequence[dict[str, Any]] = (),
    conditions: Mapping[str, Mapping[str, str]] | None = None,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> Pod:
    """A pod parsed from the API's format: healthy, except for the given changes.

    Each container is a name with a status; its ``spec`` is separate. An empty condition is left out.
    """
    shown = {c: {"status": "True"} for c in ("Initialized", "Ready", "ContainersReady", "PodScheduled")}
    held = {k: v for k, v in (shown | dict(conditions or {})).items() if v}
    since = {"lastTransitionTime": "2026-11-24T03:00:00Z"}
    raw: dict[str, dict[str, Any]] = {
        "metadata": {"name": "agent-7d9-x2k8p", "uid": "u-1", "creationTimestamp": "2026-11-24T02:00:00Z"},
        "spec": {"nodeName": "gpu-1"},
        "status": {"phase": "Running", "startTime": "2026-11-24T02:00:01Z"},
    }
    raw["spec"] |= {
        "containers": [_spec(c) for c in containers or (UP,)],
        "initContainers": [_spec(c) for c in inits],
        **(spec or {}),
    }
    raw["status"] |= {
        "conditions": [{"type": kind, **since, **more} for kind, more in held.items()],
        "containerStatuses": [_status(c) for c in containers or (UP,)],
        "initContainerStatuses": [_status(c) for c in inits],
        **(status or {}),
    }
    raw["metadata"] |= dict(meta or {})
    return facts.pod(msgspec.convert(raw, shapes.Pod))


def _spec(container: dict[str, Any]) -> dict[str, Any]:
    return {"name": container["name"], "image": f"{container['name']}:1", **container.get("spec", {})}


def _status(container: dict[str, Any]) -> dict[str, Any]:
    more = {k: v for k, v in container.items() if k != "spec"}
    return {"image": f"{container['name']}:1", "imageID": "", "ready": False, "restartCount": 0, **more}


def run_that_ended(reason: str, code: int, message: str = "", at: str = "2026-11-24T02:50:00Z") -> dict[str, Any]:
    """The ``terminated`` state of a container's run."""
    return {"terminated": {"reason": reason, "exitCode": code, "finishedAt": at, "message": message}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """The ``waiting`` state of a container."""
    return {"waiting": {"reason": reason, "message": message}}


RUNNING = {"running": {"startedAt": "2026-11-24T02:51:00Z"}}
UP = {"name": "kali", "ready": True, "started": True, "state": RUNNING}
