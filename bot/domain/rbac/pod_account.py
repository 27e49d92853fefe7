"""What whoever runs commands in the pod has by it: the token of the pod's own ServiceAccount. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOUNTED = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where Kubernetes mounts a token by itself."""


@dataclass(frozen=True)
class PodAccount:
    """A pod's ServiceAccount, and the containers that have a token of it."""

    name: str
    containers: tuple[str, ...]


def account_of(pod: Mapping[str, Any]) -> PodAccount:
    """Return it from a pod's JSON."""
    spec = pod.get("spec", {})
    tokens = {volume.get("name") for volume in spec.get("volumes") or () if _has_token(volume)}
    names = [
        str(container.get("name"))
        for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
        if any(_mounts(mount, tokens) for mount in container.get("volumeMounts") or ())
    ]
    return PodAccount(str(spec.get("serviceAccountName") or "default"), tuple(names))


def _has_token(volume: Mapping[str, Any]) -> bool:
    sources = (volume.get("projected") or {}).get("sources") or ()
    return any("serviceAccountToken" in source for source in sources)


def _mounts(mount: Mapping[str, Any], tokens: set[Any]) -> bool:
    return mount.get("name") in tokens or mount.get("mountPath") == MOUNTED


def listing(namespace: str, account: str) -> str:
    """The kubectl command that lists what a ServiceAccount may do."""
    return f"kubectl auth can-i --list -n {namespace} --as=system:serviceaccount:{namespace}:{account}"
