"""Rights that the bot's account must not have, unless a command needs one, each with the risk.

They are checked one by one with the authorizer, since its list of rules may be incomplete (a
SelfSubjectRulesReview does not cover a webhook's decisions). Source: Kubernetes' "Role Based Access Control Good
Practices".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from bot.domain.core.workload import Right
from bot.domain.rbac.rights import EVERYWHERE, Permission, needed_in

OTHER_NAMESPACES = ("default", "kube-system")
"""Namespaces that every cluster has, checked as examples of namespaces that the bot must not access."""


class Where(Enum):
    """Where a right is checked."""

    OWN = "its own namespace"
    OTHER = "another namespace"
    CLUSTER = "the whole cluster"


@dataclass(frozen=True)
class Forbidden:
    """One right that must be refused. ``right.namespace`` is not used; ``where`` says where to check."""

    right: Right
    where: tuple[Where, ...]
    reason: str
    """What the right would give access to, as a phrase."""


_RBAC = "rbac.authorization.k8s.io"
_OWN, _ALL = (Where.OWN,), (Where.OWN, Where.OTHER, Where.CLUSTER)
_OWN_AND_CLUSTER, _CLUSTER = (Where.OWN, Where.CLUSTER), (Where.CLUSTER,)

FORBIDDEN = (
    Forbidden(Right("*", "*", "*"), _OWN_AND_CLUSTER, "everything: administrator"),
    Forbidden(Right("list", "secrets"), _ALL, "all passwords and tokens at once, values included"),
    Forbidden(Right("get", "secrets"), _ALL, "any Secret whose name is known"),
    Forbidden(Right("get", "configmaps"), _ALL, "other programs' settings"),
    Forbidden(Right("list", "pods"), (Where.OTHER, Where.CLUSTER), "what else runs, and its environment"),
    Forbidden(Right("create", "pods"), _ALL, "a new pod mounts any Secret and runs as any account there"),
    Forbidden(Right("delete", "pods"), _ALL, "ends what runs"),
    Forbidden(Right("create", "pods", subresource="exec"), _ALL, "commands in other people's pods"),
    Forbidden(Right("create", "pods", subresource="attach"), _OWN, "the console of a running program"),
    Forbidden(Right("create", "pods", subresource="portforward"), _OWN, "a pod's ports, past network policies"),
    Forbidden(Right("patch", "pods", subresource="ephemeralcontainers"), _OWN, "a container of choice in the pod"),
    Forbidden(Right("create", "deployments", "apps"), _OWN, "pods of choice, by way of their owner"),
    Forbidden(Right("patch", "deployments", "apps"), _OWN_AND_CLUSTER, "another image, other mounts"),
    Forbidden(Right("delete", "deployments", "apps"), _OWN_AND_CLUSTER, "the end of the agent pod"),
    Forbidden(Right("patch", "networkpolicies", "networking.k8s.io"), _OWN, "egress to anywhere"),
    Forbidden(Right("delete", "persistentvolumeclaims"), _OWN, "the loss of the agent's home and of the ledger"),
    Forbidden(Right("create", "serviceaccounts", subresource="token"), _ALL, "tokens of other accounts"),
    Forbidden(Right("impersonate", "serviceaccounts"), _OWN_AND_CLUSTER, "acting as another account"),
    Forbidden(Right("impersonate", "users"), _CLUSTER, "acting as anybody"),
    Forbidden(Right("impersonate", "groups"), _CLUSTER, "acting as an administrator, by group"),
    Forbidden(Right("update", "roles", _RBAC, name="agentpod"), _OWN, "more rights for itself"),
    Forbidden(Right("escalate", "roles", _RBAC), _OWN, "Roles with more than it has"),
    Forbidden(Right("bind", "roles", _RBAC), _OWN, "Roles given to itself"),
    Forbidden(Right("create", "rolebindings", _RBAC), _OWN_AND_CLUSTER, "rights given away"),
    Forbidden(Right("escalate", "clusterroles", _RBAC), _CLUSTER, "ClusterRoles with more than it has"),
    Forbidden(Right("bind", "clusterroles", _RBAC), _CLUSTER, "cluster-admin given to itself"),
    Forbidden(Right("create", "clusterrolebindings", _RBAC), _CLUSTER, "rights given away in the whole cluster"),
    Forbidden(Right("patch", "namespaces"), _CLUSTER, "a laxer Pod Security level"),
    Forbidden(Right("create", "nodes", subresource="proxy"), _CLUSTER, "the kubelet: commands in every pod"),
    Forbidden(Right("get", "nodes", subresource="proxy"), _CLUSTER, "the kubelet: commands by WebSocket, logs"),
    Forbidden(Right("create", "persistentvolumes"), _CLUSTER, "a node's folders, mounted"),
    Forbidden(
        Right("update", "certificatesigningrequests", "certificates.k8s.io", "approval"),
        _CLUSTER,
        "certificates for any user",
    ),
    Forbidden(
        Right("create", "mutatingwebhookconfigurations", "admissionregistration.k8s.io"),
        _CLUSTER,
        "seeing and changing every object that is written",
    ),
)
"""The table in docs/rights.md."""


def to_ask(needed: Collection[Right], own: str, others: Sequence[str]) -> Iterator[Right]:
    """Yield the rights to check, each with its namespace, except those that are needed there.

    ``own`` is the target's namespace, ``others`` are namespaces without a target; each right in ``needed`` has its
    namespace.
    """
    places = {Where.OWN: [own], Where.OTHER: others, Where.CLUSTER: [EVERYWHERE]}
    for entry in FORBIDDEN:
        for namespace in (place for where in entry.where for place in places[where]):
            allowed = {Permission.of(right) for right in needed_in(needed, namespace)}
            if allowed.isdisjoint(Permission.of(entry.right).wider()):
                yield replace(entry.right, namespace=namespace)
