"""Contradictions to "healthy" in raw Kubernetes objects, found without the product's code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

Object = dict[str, Any]


def against(pods: Sequence[Object]) -> list[str]:
    """Each contradiction to "one healthy pod"; empty if there is none."""
    alive = [p for p in pods if not _leaving(p)]
    if len(alive) != 1:
        return [f"{len(alive)} pods"]
    return list(_of_pod(alive[0]))


def one_is_well(pods: Sequence[Object]) -> bool:
    """Whether any one pod is healthy, whatever the others: a restart may then be done."""
    return any(not _leaving(p) and not list(_of_pod(p)) for p in pods)


def _leaving(pod: Object) -> bool:
    phase = (pod.get("status") or {}).get("phase")
    return "deletionTimestamp" in pod["metadata"] or phase in ("Succeeded", "Failed")


def _of_pod(pod: Object) -> Iterator[str]:
    status = pod.get("status") or {}
    if status.get("phase") != "Running":
        yield f"phase {status.get('phase')}"
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    if conditions.get("Ready") != "True":
        yield f"Ready {conditions.get('Ready')}"
    spec = pod.get("spec") or {}
    yield from _of_containers(spec.get("containers") or (), status.get("containerStatuses") or ())
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    yield from _of_containers(sidecars, status.get("initContainerStatuses") or ())


def _of_containers(specs: Sequence[Object], statuses: Sequence[Object]) -> Iterator[str]:
    """Each container must run and be ready, also sidecars."""
    said = {s["name"]: s for s in statuses}
    for spec in specs:
        status = said.get(spec["name"])
        if status is None:
            yield f"{spec['name']} has no status"
        elif "running" not in (status.get("state") or {}):
            yield f"{spec['name']} does not run"
        elif not status.get("ready"):
            yield f"{spec['name']} is not ready"
