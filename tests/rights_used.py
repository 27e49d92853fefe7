"""Records which Kubernetes rights a cluster's callers use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from bot.domain.core.workload import Deployment, Pod, Right, SecretFacts
from bot.ports.cluster import Cluster


def _no_right(*_: Any) -> Sequence[Right]:
    """What every account may."""
    return ()


def _listing(resource: str, group: str = "") -> Callable[..., Sequence[Right]]:
    return lambda *_: [Right("list", resource, group)]


def _follow(_: str) -> Sequence[Right]:
    return [Right("list", "pods"), Right("watch", "pods")]


def _deployment(name: str) -> Sequence[Right]:
    return [Right("get", "deployments", "apps", name=name)]


def _objects(right: Right, *_: Any) -> Sequence[Right]:
    return [right]


def _application(namespace: str, name: str) -> Sequence[Right]:
    return [Right("get", "applications", "argoproj.io", name=name, namespace=namespace)]


def _logs(*_: Any) -> Sequence[Right]:
    return [Right("get", "pods", subresource="log")]


def _exec(*_: Any) -> Sequence[Right]:
    return [Right(verb, "pods", subresource="exec") for verb in ("get", "create")]


def _restart(seen: Deployment, *_: Any) -> Sequence[Right]:
    return [Right("patch", "deployments", "apps", name=seen.name)]


def _delete_pod(_: Pod) -> Sequence[Right]:
    return [Right("delete", "pods")]


def _delete_object(right: Right, *_: Any) -> Sequence[Right]:
    return [replace(right, name="") if right.resource == "pods" else right]


def _secret(name: str, *_: Any) -> Sequence[Right]:
    return [Right("get", "secrets", name=name)]


def _set_secret_key(seen: SecretFacts, *_: Any) -> Sequence[Right]:
    return [Right("patch", "secrets", name=seen.name)]


def _secret_values(names: Collection[str], **_: Any) -> Sequence[Right]:
    return [Right("get", "secrets", name=name) for name in names]


def _review(*_: Any) -> Sequence[Right]:
    return [Right("create", "subjectaccessreviews", "authorization.k8s.io", namespace="")]


RIGHTS: Mapping[str, Callable[..., Sequence[Right]]] = {
    "info": _no_right,
    "pods": _listing("pods"),
    "follow": _follow,
    "deployment": _deployment,
    "events": _listing("events"),
    "services": _listing("services"),
    "endpoints": _listing("endpointslices", "discovery.k8s.io"),
    "claims": _listing("persistentvolumeclaims"),
    "objects": _objects,
    "application": _application,
    "logs": _logs,
    "follow_log": _logs,
    "exec": _exec,
    "run_once": _exec,
    "restart": _restart,
    "set_image": _restart,
    "delete_pod": _delete_pod,
    "delete_object": _delete_object,
    "create_object": _objects,
    "secret": _secret,
    "authorized_keys": _secret,
    "set_secret_key": _set_secret_key,
    "compare_secret": _secret,
    "set_secret_data": _set_secret_key,
    "external_secrets": _listing("externalsecrets", "external-secrets.io"),
    "secret_values": _secret_values,
    "can_i": _no_right,
    "account_can": _review,
    "rules": _no_right,
    "trial": _no_right,
}
"""Method of the port → the rights that a call with these positional arguments needs."""


class RightsUsed:
    """Passes each call on to a cluster, and records the rights that it needs."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.rights: set[Right] = set()

    @property
    def as_cluster(self) -> Cluster:
        """The cluster to be called."""
        return cast("Cluster", self)

    async def trial(self) -> Any:
        """A dry run needs the rights of what it tries."""
        trial = await self._cluster.trial()
        tried = RightsUsed(trial.cluster)
        tried.rights = self.rights
        return replace(trial, cluster=tried)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._cluster, name)
        needs = RIGHTS[name]

        def call(*args: Any, **more: Any) -> Any:
            self.rights.update(needs(*args))
            return method(*args, **more)

        return call
