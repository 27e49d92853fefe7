"""``deployments/scale``: the part of a Deployment that `kubectl scale` reads and writes."""

from __future__ import annotations

import copy
from typing import Any

from sandbox.cluster.kinds import Kind
from sandbox.cluster.status import invalid

Object = dict[str, Any]
GROUP_VERSION_KIND = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
"""A Scale's API group differs from that of the object it scales (autoscaling/v1 in the API reference)."""


def as_scale(deployment: Object) -> Object:
    """The Scale of a Deployment."""
    meta = deployment["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels = deployment["spec"]["selector"]["matchLabels"]
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: meta[name] for name in kept},
        "spec": {"replicas": deployment["spec"].get("replicas", 1)},
        "status": {
            "replicas": deployment.get("status", {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in labels.items()),
        },
    }


def with_scale(kind: Kind, deployment: Object, scale: Object) -> Object:
    """The Deployment with a Scale's number of replicas. Raises ApiError 422 for a negative number, or none."""
    replicas = scale.get("spec", {}).get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid(kind, deployment["metadata"]["name"], [("spec.replicas", why)])
    new = copy.deepcopy(deployment)
    new["spec"]["replicas"] = replicas
    new["metadata"]["resourceVersion"] = scale["metadata"].get("resourceVersion")
    return new
