"""New ReplicaSets and pods, and the status that derives from the pods."""

from __future__ import annotations

import copy
import hashlib
from datetime import datetime
from typing import Any

from sandbox.cluster import companions, kinds, objects
from sandbox.cluster.conditions import PodFaults
from sandbox.cluster.kinds import Kind
from sandbox.cluster.rbac import NAMESPACE
from sandbox.cluster.store import Store, stamp

Object = dict[str, Any]
_REVISION = "deployment.kubernetes.io/revision"


def new_replica_set(deployment: Object, created: datetime) -> Object:
    """The ReplicaSet for the Deployment's current template."""
    template = copy.deepcopy(deployment["spec"]["template"])
    suffix = objects.template_hash(template)
    template["metadata"]["labels"]["pod-template-hash"] = suffix
    labels = dict(template["metadata"]["labels"])
    revision = deployment["metadata"].get("annotations", {}).get(_REVISION, "1")
    return {
        "metadata": {
            "name": f"{objects.APP}-{suffix}",
            "namespace": NAMESPACE,
            "creationTimestamp": stamp(created),
            "labels": labels,
            "annotations": {_REVISION: revision},
            "ownerReferences": [_owner(deployment)],
        },
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        "status": {},
    }


def new_pod(replica_set: Object, created: datetime, faults: PodFaults, number: int) -> Object:
    """A pod of the ReplicaSet, not yet scheduled; ``number`` makes its name and its order."""
    spec = copy.deepcopy(replica_set["spec"]["template"]["spec"])
    meta = replica_set["spec"]["template"]["metadata"]
    if faults.container_renamed:
        spec["containers"][0]["name"] = "workspace"
    extras = companions.spec(faults)
    if inits := [*spec.get("initContainers", ()), *extras.get("initContainers", ())]:
        extras["initContainers"] = inits
    digest = hashlib.sha256(str(number).encode()).digest()
    suffix = "".join("bcdfghjklmnpqrstvwxz2456789"[byte % 27] for byte in digest[:5])
    return {
        "metadata": {
            "name": f"{replica_set['metadata']['name']}-{suffix}",
            "generateName": f"{replica_set['metadata']['name']}-",
            "namespace": NAMESPACE,
            "creationTimestamp": stamp(created),
            "labels": dict(meta["labels"]),
            "annotations": {**(meta.get("annotations") or {}), "sandbox/order": str(number)},
            "ownerReferences": [_owner(replica_set)],
        },
        "spec": {**spec, **extras, "serviceAccountName": "default", "enableServiceLinks": True},
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    }


def active_replica_set(store: Store, deployment: Object) -> str:
    """The name of the active ReplicaSet: the current template's; if that has none (paused), the newest."""
    wanted = f"{objects.APP}-{objects.template_hash(deployment['spec']['template'])}"
    if store.get(kinds.REPLICA_SET, NAMESPACE, wanted) is not None:
        return wanted
    existing = store.list(kinds.REPLICA_SET, NAMESPACE)
    newest = max(existing, key=lambda rs: int(rs["metadata"]["annotations"][_REVISION]), default=None)
    return str(newest["metadata"]["name"]) if newest else wanted


def refuse_pods(store: Store, name: str, why: str) -> bool:
    """Set or (with an empty ``why``) clear a ReplicaSet's ReplicaFailure condition; True if that changed it."""
    draft = store.draft(kinds.REPLICA_SET, NAMESPACE, name)
    had = bool(draft["status"].pop("conditions", None))
    if why:
        draft["status"]["conditions"] = [
            {
                "type": "ReplicaFailure",
                "status": "True",
                "reason": "FailedCreate",
                "message": why,
                "lastTransitionTime": stamp(store.clock()),
            }
        ]
    if had is not bool(why):
        store.put(kinds.REPLICA_SET, draft)
    return had is not bool(why)


def sync_status(store: Store) -> None:
    """Update the status of Deployment, ReplicaSets and endpoints from the pods."""
    pods = [p for p in store.list(kinds.POD, NAMESPACE) if p["metadata"]["labels"].get("app") == objects.APP]
    for replica_set in store.list(kinds.REPLICA_SET, NAMESPACE):
        _sync_replica_set(store, replica_set, pods)
    _sync_deployment(store, pods)
    for service in store.list(kinds.SERVICE, NAMESPACE):
        _sync_endpoints(store, service, pods)


def is_ready(pod: Object) -> bool:
    """Whether the pod receives traffic."""
    conditions = pod["status"].get("conditions") or []
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    over = pod["status"].get("phase") in ("Failed", "Succeeded")
    return ready and not over and "deletionTimestamp" not in pod["metadata"]


def _owner(owner: Object) -> Object:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _sync_replica_set(store: Store, replica_set: Object, pods: list[Object]) -> None:
    name = replica_set["metadata"]["name"]
    own = [p for p in pods if any(o["name"] == name for o in p["metadata"].get("ownerReferences", ()))]
    deployment = store.get(kinds.DEPLOYMENT, NAMESPACE, objects.APP)
    current = deployment is not None and name == active_replica_set(store, deployment)
    draft = store.draft(kinds.REPLICA_SET, NAMESPACE, name)
    draft["spec"]["replicas"] = deployment["spec"].get("replicas", 1) if current and deployment else 0
    ready = sum(map(is_ready, own))
    failed = {k: v for k, v in draft["status"].items() if k == "conditions"}
    draft["status"] = failed | {"replicas": len(own), "fullyLabeledReplicas": len(own), "readyReplicas": ready}
    draft["status"] |= {"availableReplicas": ready, "observedGeneration": draft["metadata"]["generation"]}
    store.put(kinds.REPLICA_SET, draft)


def _sync_deployment(store: Store, pods: list[Object]) -> None:
    if store.get(kinds.DEPLOYMENT, NAMESPACE, objects.APP) is None:
        return
    draft = store.draft(kinds.DEPLOYMENT, NAMESPACE, objects.APP)
    suffix = objects.template_hash(draft["spec"]["template"])
    wanted, ready = draft["spec"].get("replicas", 1), sum(map(is_ready, pods))
    current = [p for p in pods if p["metadata"]["labels"].get("pod-template-hash") == suffix]
    complete = len(current) == len(pods) and ready >= wanted
    before = {c["type"]: c for c in draft["status"].get("conditions", [])}
    now = stamp(store.clock())
    name = f"{objects.APP}-{suffix}"
    running = store.get(kinds.REPLICA_SET, NAMESPACE, active_replica_set(store, draft))
    failures = (running["status"].get("conditions") or []) if running else []
    paused = bool(draft["spec"].get("paused"))
    progress = (
        ("DeploymentPaused", "Deployment is paused")
        if paused
        else ("NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
        if complete
        else ("ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
    )
    availability = (
        ("MinimumReplicasAvailable", "Deployment has minimum availability.")
        if ready >= wanted
        else ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    )
    draft["status"] = {
        "observedGeneration": draft["metadata"]["generation"],
        "replicas": len(pods),
        "updatedReplicas": len(current),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, wanted - ready),
        "conditions": [
            _condition(before, "Available", ready >= wanted, availability, now),
            _condition(before, "Progressing", "Unknown" if paused else True, progress, now),
            *({**condition, "lastUpdateTime": condition["lastTransitionTime"]} for condition in failures),
        ],
    }
    store.put(kinds.DEPLOYMENT, draft)


def _condition(before: dict[str, Object], kind: str, on: bool | str, why: tuple[str, str], now: str) -> Object:
    old = before.get(kind, {})
    same = old.get("status") == str(on)
    unchanged = same and old.get("reason") == why[0] and old.get("message") == why[1]
    return {
        "type": kind,
        "status": str(on),
        "reason": why[0],
        "message": why[1],
        "lastTransitionTime": old["lastTransitionTime"] if same else now,
        "lastUpdateTime": old["lastUpdateTime"] if unchanged else now,
    }


def _sync_endpoints(store: Store, service: Object, pods: list[Object]) -> None:
    name, selector = service["metadata"]["name"], service["spec"].get("selector") or {}
    chosen = [
        p
        for p in pods
        if p["status"].get("podIP")
        and selector
        and all(p["metadata"]["labels"].get(k) == v for k, v in selector.items())
    ]
    ports = [
        {"name": port["name"], "port": port["targetPort"], "protocol": port["protocol"]}
        for port in service["spec"]["ports"]
    ]
    _put_slice(store, service, name, chosen, ports)
    subset: Object = {"ports": ports}
    for field, on in (("addresses", True), ("notReadyAddresses", False)):
        members = [_address(p) for p in chosen if is_ready(p) is on]
        if members:
            subset[field] = members
    meta = {"name": name, "namespace": NAMESPACE, "creationTimestamp": service["metadata"]["creationTimestamp"]}
    _put(store, kinds.ENDPOINTS, {"metadata": meta, "subsets": [subset] if chosen else []})


def _put_slice(store: Store, service: Object, name: str, pods: list[Object], ports: list[Object]) -> None:
    endpoints = [
        {
            "addresses": [pod["status"]["podIP"]],
            "conditions": {
                "ready": is_ready(pod),
                "serving": is_ready(pod),
                "terminating": "deletionTimestamp" in pod["metadata"],
            },
            "nodeName": pod["spec"].get("nodeName"),
            "targetRef": _address(pod)["targetRef"],
        }
        for pod in pods
    ]
    meta = {
        "name": f"{name}-x7k2m",
        "namespace": NAMESPACE,
        "creationTimestamp": service["metadata"]["creationTimestamp"],
        "labels": {
            "kubernetes.io/service-name": name,
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        },
        "ownerReferences": [_owner(service)],
    }
    _put(
        store,
        kinds.ENDPOINT_SLICE,
        {"metadata": meta, "addressType": "IPv4", "endpoints": endpoints, "ports": ports},
    )


def _address(pod: Object) -> Object:
    ref = {"kind": "Pod", "namespace": NAMESPACE, "name": pod["metadata"]["name"]}
    ref["uid"] = pod["metadata"]["uid"]
    return {"ip": pod["status"]["podIP"], "nodeName": pod["spec"].get("nodeName"), "targetRef": ref}


def _put(store: Store, kind: Kind, new: Object) -> None:
    """Store an object with its existing metadata, so that an unchanged object gets no new version."""
    before = store.get(kind, NAMESPACE, new["metadata"]["name"])
    kept = {k: v for k, v in (before or {}).items() if k in ("apiVersion", "kind", "metadata")}
    store.put(kind, {**new, **kept})
