"""Server-side printing: the ``Table`` that ``kubectl get`` asks for, with a real server's columns.

Columns and cells follow ``k8s.io/kubernetes/pkg/printers/internalversion``; those of custom resources follow
the CRDs' ``additionalPrinterColumns``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.cluster.kinds import Kind
from sandbox.cluster.store import parse_stamp

Object = dict[str, Any]
Cell = str | int | None


@dataclass(frozen=True)
class Column:
    """One column; ``priority`` above 0 is for ``-o wide``."""

    name: str
    cell: Callable[[Object, datetime], Cell]
    priority: int = 0
    type: str = "string"


def render(kind: Kind, objects: list[Object], now: datetime, meta: Object, include: str = "Metadata") -> Object:
    """``objects`` as a Table. ``include`` is the ``includeObject`` parameter: None, Metadata or Object."""
    columns = COLUMNS.get(kind.qualified, DEFAULT)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": [
            {"cells": [c.cell(obj, now) for c in columns], "object": _row_object(obj, include)} for obj in objects
        ],
    }


def human_duration(seconds: float) -> str:
    """How ``kubectl`` writes an age (``k8s.io/apimachinery/pkg/util/duration.HumanDuration``)."""
    total = int(seconds)
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if total < -1:
        return "<invalid>"
    if total < 120:
        return f"{max(total, 0)}s"
    steps = (
        (minutes < 10, f"{minutes}m", total % 60, "s"),
        (minutes < 180, f"{minutes}m", 0, ""),
        (hours < 8, f"{hours}h", minutes % 60, "m"),
        (hours < 48, f"{hours}h", 0, ""),
        (days < 8, f"{days}d", hours % 24, "h"),
        (days < 730, f"{days}d", 0, ""),
        (days < 2920, f"{days // 365}y", days % 365, "d"),
    )
    for holds, text, rest, unit in steps:
        if holds:
            return f"{text}{rest}{unit}" if rest else text
    return f"{days // 365}y"


def age(text: str | None, now: datetime) -> str:
    """The age of a timestamp as ``kubectl`` writes it."""
    return human_duration((now - parse_stamp(text)).total_seconds()) if text else "<unknown>"


def pod_status(pod: Object) -> str:
    """The STATUS column."""
    status = pod.get("status", {})
    reason = _initializing(pod) or str(status.get("reason") or status.get("phase", "Unknown"))
    initialized = any(c["type"] == "Initialized" and c["status"] == "True" for c in status.get("conditions") or ())
    if _initializing(pod) and not initialized:
        return "Terminating" if "deletionTimestamp" in pod["metadata"] else reason
    for state in (c.get("state", {}) for c in reversed(status.get("containerStatuses", []))):
        if waiting := state.get("waiting", {}).get("reason"):
            reason = waiting
        elif ended := state.get("terminated"):
            reason = ended.get("reason") or f"ExitCode:{ended.get('exitCode')}"
    return "Terminating" if "deletionTimestamp" in pod["metadata"] else reason


def _initializing(pod: Object) -> str:
    """The status of the first init container that hasn't completed; empty if all have."""
    statuses = pod.get("status", {}).get("initContainerStatuses") or []
    for number, status in enumerate(statuses):
        state = status.get("state", {})
        ended, waits = state.get("terminated"), state.get("waiting", {}).get("reason")
        if (ended and ended.get("exitCode") == 0) or (status.get("started") and _is_sidecar(pod, status["name"])):
            continue
        if ended or (waits and waits != "PodInitializing"):
            return f"Init:{ended.get('reason') if ended else waits}"
        return f"Init:{number}/{len(pod['spec']['initContainers'])}"
    return ""


def _is_sidecar(pod: Object, name: str) -> bool:
    inits = pod["spec"].get("initContainers") or ()
    return any(c["name"] == name and c.get("restartPolicy") == "Always" for c in inits)


def _definition(column: Column) -> Object:
    form = "name" if column.name == "Name" else ""
    return {
        "name": column.name,
        "type": column.type,
        "format": form,
        "description": column.name,
        "priority": column.priority,
    }


def _row_object(obj: Object, include: str) -> Object | None:
    if include == "None":
        return None
    if include == "Object":
        return obj
    head = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return head | {"metadata": obj["metadata"]}


def _name(obj: Object, _now: datetime) -> Cell:
    return str(obj["metadata"]["name"])


def _age(obj: Object, now: datetime) -> Cell:
    return age(obj["metadata"].get("creationTimestamp"), now)


def _path(*path: str, default: str = "<none>") -> Callable[[Object, datetime], Cell]:
    def cell(obj: Object, _now: datetime) -> Cell:
        value: Any = obj
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return default if value in (None, "") else value

    return cell


def _statuses(pod: Object) -> list[Object]:
    found: list[Object] = pod.get("status", {}).get("containerStatuses", [])
    return found


def _pod_ready(pod: Object, _now: datetime) -> Cell:
    sidecars = [s for s in _init_statuses(pod) if _is_sidecar(pod, s["name"])]
    ready = sum(bool(status.get("ready")) for status in (*_statuses(pod), *sidecars))
    inits = pod["spec"].get("initContainers") or ()
    return f"{ready}/{len(pod['spec']['containers']) + sum(_is_sidecar(pod, c['name']) for c in inits)}"


def _init_statuses(pod: Object) -> list[Object]:
    found: list[Object] = pod.get("status", {}).get("initContainerStatuses") or []
    return found


def _pod_restarts(pod: Object, now: datetime) -> Cell:
    starting = _initializing(pod) and pod_status(pod).startswith("Init:")
    sidecars = [s for s in _init_statuses(pod) if _is_sidecar(pod, s["name"])]
    counted = _init_statuses(pod) if starting else [*_statuses(pod), *sidecars]
    restarts = sum(int(status.get("restartCount", 0)) for status in counted)
    ends = [s.get("lastState", {}).get("terminated", {}).get("finishedAt") for s in counted]
    last = max((end for end in ends if end), default=None)
    return f"{restarts} ({age(last, now)} ago)" if restarts and last else str(restarts)


def _service_external(service: Object, _now: datetime) -> Cell:
    if service["spec"].get("type") != "LoadBalancer":
        return "<none>"
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return ",".join(entry.get("ip") or entry.get("hostname", "") for entry in ingress) or "<pending>"


def _service_ports(service: Object, _now: datetime) -> Cell:
    parts = []
    for port in service["spec"].get("ports", []):
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        parts.append(f"{port['port']}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(parts) or "<none>"


def _pairs(*path: str) -> Callable[[Object, datetime], Cell]:
    read = _path(*path, default="")

    def cell(obj: Object, now: datetime) -> Cell:
        value: Any = read(obj, now)
        return ",".join(f"{k}={v}" for k, v in value.items()) if value else "<none>"

    return cell


def _containers(field: str) -> Callable[[Object, datetime], Cell]:
    def cell(obj: Object, _now: datetime) -> Cell:
        return ",".join(c[field] for c in obj["spec"]["template"]["spec"]["containers"])

    return cell


def _status_number(field: str) -> Callable[[Object, datetime], Cell]:
    return lambda obj, _now: int(obj.get("status", {}).get(field) or 0)


def _deployment_ready(obj: Object, _now: datetime) -> Cell:
    return f"{obj.get('status', {}).get('readyReplicas', 0)}/{obj['spec'].get('replicas', 1)}"


def _event_seen(event: Object, now: datetime) -> Cell:
    return age(event.get("lastTimestamp") or event.get("eventTime"), now)


def _event_object(event: Object, _now: datetime) -> Cell:
    about = event["involvedObject"]
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _modes(obj: Object, _now: datetime) -> Cell:
    modes = obj.get("status", {}).get("accessModes") or obj["spec"].get("accessModes", [])
    return ",".join(_MODES.get(mode, mode) for mode in modes)


def _claim_ref(obj: Object, _now: datetime) -> Cell:
    ref = obj["spec"].get("claimRef")
    return f"{ref['namespace']}/{ref['name']}" if ref else ""


def _node_status(node: Object, _now: datetime) -> Cell:
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"])
    return "Ready" if ready else "NotReady"


def _node_ip(node: Object, _now: datetime) -> Cell:
    found = (a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
    return next(found, "<none>")


def _data_count(obj: Object, _now: datetime) -> Cell:
    return len(obj.get("data") or {})


def _slice_ports(obj: Object, _now: datetime) -> Cell:
    return ",".join(str(port["port"]) for port in obj.get("ports") or []) or "<unset>"


def _slice_addresses(obj: Object, _now: datetime) -> Cell:
    return ",".join(a for e in obj.get("endpoints") or [] for a in e["addresses"]) or "<unset>"


def _endpoint_addresses(obj: Object, _now: datetime) -> Cell:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets") or []
        for address in subset.get("addresses") or []
        for port in subset.get("ports") or []
    ]
    return ",".join(found) or "<none>"


def _condition(type_: str, field: str) -> Callable[[Object, datetime], Cell]:
    def cell(obj: Object, _now: datetime) -> Cell:
        conditions = obj.get("status", {}).get("conditions") or []
        return next((c.get(field) for c in conditions if c.get("type") == type_), None)

    return cell


NAME, AGE = Column("Name", _name), Column("Age", _age)
DEFAULT = (NAME, AGE)
COLUMNS: dict[str, tuple[Column, ...]] = {
    "pods": (
        NAME,
        Column("Ready", _pod_ready),
        Column("Status", lambda pod, _now: pod_status(pod)),
        Column("Restarts", _pod_restarts),
        AGE,
        Column("IP", _path("status", "podIP"), 1),
        Column("Node", _path("spec", "nodeName"), 1),
        Column("Nominated Node", _path("status", "nominatedNodeName"), 1),
        Column("Readiness Gates", _path("spec", "readinessGates"), 1),
    ),
    "services": (
        NAME,
        Column("Type", _path("spec", "type")),
        Column("Cluster-IP", _path("spec", "clusterIP")),
        Column("External-IP", _service_external),
        Column("Port(s)", _service_ports),
        AGE,
        Column("Selector", _pairs("spec", "selector"), 1),
    ),
    "deployments.apps": (
        NAME,
        Column("Ready", _deployment_ready),
        Column("Up-to-date", _status_number("updatedReplicas"), type="integer"),
        Column("Available", _status_number("availableReplicas"), type="integer"),
        AGE,
        Column("Containers", _containers("name"), 1),
        Column("Images", _containers("image"), 1),
        Column("Selector", _pairs("spec", "selector", "matchLabels"), 1),
    ),
    "replicasets.apps": (
        NAME,
        Column("Desired", lambda obj, _now: int(obj["spec"].get("replicas", 0)), type="integer"),
        Column("Current", _status_number("replicas"), type="integer"),
        Column("Ready", _status_number("readyReplicas"), type="integer"),
        AGE,
        Column("Containers", _containers("name"), 1),
        Column("Images", _containers("image"), 1),
        Column("Selector", _pairs("spec", "selector", "matchLabels"), 1),
    ),
    "events": (
        Column("Last Seen", _event_seen),
        Column("Type", _path("type", default="")),
        Column("Reason", _path("reason", default="")),
        Column("Object", _event_object),
        Column("Subobject", _path("involvedObject", "fieldPath", default=""), 1),
        Column("Source", _path("source", "component", default=""), 1),
        Column("Message", _path("message", default="")),
        Column("First Seen", lambda event, now: age(event.get("firstTimestamp"), now), 1),
        Column("Count", lambda event, _now: int(event.get("count") or 1), 1, "integer"),
        Column("Name", _name, 1),
    ),
    "persistentvolumeclaims": (
        NAME,
        Column("Status", _path("status", "phase", default="")),
        Column("Volume", _path("spec", "volumeName", default="")),
        Column("Capacity", _path("status", "capacity", "storage", default="")),
        Column("Access Modes", _modes),
        Column("StorageClass", _path("spec", "storageClassName", default="")),
        Column("VolumeAttributesClass", _path("spec", "volumeAttributesClassName", default="<unset>")),
        AGE,
        Column("VolumeMode", _path("spec", "volumeMode", default="<unset>"), 1),
    ),
    "persistentvolumes": (
        NAME,
        Column("Capacity", _path("spec", "capacity", "storage", default="")),
        Column("Access Modes", _modes),
        Column("Reclaim Policy", _path("spec", "persistentVolumeReclaimPolicy", default="")),
        Column("Status", _path("status", "phase", default="")),
        Column("Claim", _claim_ref),
        Column("StorageClass", _path("spec", "storageClassName", default="")),
        Column("VolumeAttributesClass", _path("spec", "volumeAttributesClassName", default="<unset>")),
        Column("Reason", _path("status", "reason", default="")),
        AGE,
        Column("VolumeMode", _path("spec", "volumeMode", default="<unset>"), 1),
    ),
    "nodes": (
        NAME,
        Column("Status", _node_status),
        Column("Roles", lambda _obj, _now: "<none>"),
        AGE,
        Column("Version", _path("status", "nodeInfo", "kubeletVersion")),
        Column("Internal-IP", _node_ip, 1),
        Column("External-IP", lambda _obj, _now: "<none>", 1),
        Column("OS-Image", _path("status", "nodeInfo", "osImage"), 1),
        Column("Kernel-Version", _path("status", "nodeInfo", "kernelVersion"), 1),
        Column("Container-Runtime", _path("status", "nodeInfo", "containerRuntimeVersion"), 1),
    ),
    "namespaces": (NAME, Column("Status", _path("status", "phase")), AGE),
    "secrets": (
        NAME,
        Column("Type", _path("type", default="Opaque")),
        Column("Data", _data_count, type="integer"),
        AGE,
    ),
    "configmaps": (NAME, Column("Data", _data_count, type="integer"), AGE),
    "endpoints": (NAME, Column("Endpoints", _endpoint_addresses), AGE),
    "endpointslices.discovery.k8s.io": (
        NAME,
        Column("AddressType", _path("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_addresses),
        AGE,
    ),
    "applications.argoproj.io": (
        NAME,
        Column("Sync Status", _path("status", "sync", "status", default="")),
        Column("Health Status", _path("status", "health", "status", default="")),
        Column("Revision", _path("status", "sync", "revision", default=""), 10),
        Column("Project", _path("spec", "project", default=""), 10),
    ),
    "ciliumnetworkpolicies.cilium.io": (NAME, AGE, Column("Valid", _condition("Valid", "status"))),
    "externalsecrets.external-secrets.io": (
        NAME,
        Column("StoreType", _path("spec", "secretStoreRef", "kind", default="")),
        Column("Store", _path("spec", "secretStoreRef", "name", default="")),
        Column("Refresh Interval", _path("spec", "refreshInterval", default="")),
        Column("Status", _condition("Ready", "reason")),
        Column("Ready", _condition("Ready", "status")),
    ),
}
