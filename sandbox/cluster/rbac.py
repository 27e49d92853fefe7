"""RBAC, with the roles read from the shipped manifests, so that a missing right shows here as well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
NAMESPACE = "secure-agent-pod"
SERVICE_ACCOUNT = "agentpod"
MANIFESTS = Path(__file__).resolve().parents[2] / "deploy"
APPLIED = ("base", "options/argocd", "options/egress")
"""The parts of ``deploy`` applied to the pretend cluster: the base, and the options that only let it read."""


@dataclass(frozen=True)
class User:
    """The user that a token belongs to."""

    name: str
    uid: str
    groups: tuple[str, ...]

    @property
    def is_master(self) -> bool:
        """Members of ``system:masters`` may do everything."""
        return "system:masters" in self.groups


ADMIN = User("kubernetes-admin", "admin", ("system:masters", "system:authenticated"))
BOT = User(
    f"system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}",
    "7c1d7f0e-6c0e-4c65-9d0c-6a1f4f6f1b11",
    ("system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}", "system:authenticated"),
)


@dataclass(frozen=True)
class Rule:
    """One rule of a Role; ``namespace`` is where it applies (empty: everywhere)."""

    namespace: str
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()

    def allows(self, verb: str, group: str, resource: str, name: str, namespace: str) -> bool:
        """Whether this rule covers the request; ``resource`` is ``pods`` or ``pods/log``."""
        return (
            (not self.namespace or self.namespace == namespace)
            and _covers(self.verbs, verb)
            and _covers(self.groups, group)
            and self._covers_resource(resource)
            and (not self.names or name in self.names)
        )

    def _covers_resource(self, resource: str) -> bool:
        sub = resource.partition("/")[2]
        return _covers(self.resources, resource) or bool(sub and f"*/{sub}" in self.resources)

    def as_json(self) -> Object:
        """As a ``ResourceRule`` of a SelfSubjectRulesReview."""
        rule: Object = {"verbs": list(self.verbs), "apiGroups": list(self.groups)}
        rule["resources"] = list(self.resources)
        return rule | ({"resourceNames": list(self.names)} if self.names else {})


_READ = ("get", "list", "watch")
BASIC = (
    Rule("", ("authorization.k8s.io",), ("selfsubjectaccessreviews", "selfsubjectrulesreviews"), ("create",)),
    Rule("", ("authentication.k8s.io",), ("selfsubjectreviews",), ("create",)),
    Rule("", ("certificates.k8s.io",), ("clustertrustbundles",), _READ),
)
"""What every authenticated user may do: ``system:basic-user``; for service accounts, trust bundles as well."""
DEFAULT = (
    Rule(
        NAMESPACE,
        ("",),
        ("pods", "events", "services", "endpoints", "persistentvolumeclaims"),
        _READ,
    ),
    Rule(NAMESPACE, ("discovery.k8s.io",), ("endpointslices",), _READ),
    Rule(NAMESPACE, ("apps",), ("deployments", "replicasets"), _READ),
    Rule(NAMESPACE, ("",), ("pods/log",), ("get",)),
    Rule(NAMESPACE, ("",), ("pods/exec",), ("create", "get")),
    Rule(NAMESPACE, ("",), ("secrets",), ("get",), ("agent-secrets-tier2",)),
    Rule(NAMESPACE, ("cilium.io",), ("ciliumnetworkpolicies",), ("list",)),
    Rule("argocd", ("argoproj.io",), ("applications",), ("get",), ("secure-agent-pod",)),
)
"""The bot's rights where there are no manifests to read."""


class Authorizer:
    """Answers whether a user may do something."""

    def __init__(self, rules: Iterable[Rule] | None = None) -> None:
        """With the bot's ``rules``; by default those that ``deploy`` ships, else :data:`DEFAULT`."""
        self.rules: list[Rule] = list(load_rules(MANIFESTS) or DEFAULT) if rules is None else list(rules)

    def allows(
        self, user: User, verb: str, group: str, resource: str, name: str = "", namespace: str = ""
    ) -> bool:
        """Whether ``user`` may; ``resource`` with its subresource after a slash."""
        if user.is_master:
            return True
        own = self.rules if user == BOT else []
        return any(rule.allows(verb, group, resource, name, namespace) for rule in (*own, *BASIC))

    def rules_for(self, user: User, namespace: str) -> list[Object]:
        """The ``resourceRules`` of a SelfSubjectRulesReview."""
        if user.is_master:
            return [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        own = [r for r in self.rules if r.namespace in ("", namespace)] if user == BOT else []
        return [rule.as_json() for rule in (*BASIC, *own)]


def load_rules(folder: Path, parts: Sequence[str] = APPLIED) -> list[Rule]:
    """The rules that ``parts`` of ``folder`` bind to the bot's account; empty without any."""
    paths = [path for part in parts for path in sorted((folder / part).glob("*.yaml"))]
    documents = [doc for path in paths for doc in _documents(path)]
    roles = {
        (doc["kind"], _namespace(doc), doc["metadata"]["name"]): doc.get("rules") or []
        for doc in documents
        if doc.get("kind") in ("Role", "ClusterRole")
    }
    found: list[Rule] = []
    for doc in documents:
        if doc.get("kind") in ("RoleBinding", "ClusterRoleBinding") and _binds_bot(doc):
            found += _bound_rules(doc, roles)
    return found


def _bound_rules(binding: Object, roles: dict[tuple[str, str, str], list[Object]]) -> list[Rule]:
    where = _namespace(binding) if binding["kind"] == "RoleBinding" else ""
    ref = binding["roleRef"]
    home = where if ref["kind"] == "Role" else ""
    return [_rule(rule, where) for rule in roles.get((ref["kind"], home, ref["name"]), [])]


def _rule(rule: Object, namespace: str) -> Rule:
    return Rule(
        namespace,
        tuple(rule.get("apiGroups", ())),
        tuple(rule.get("resources", ())),
        tuple(rule.get("verbs", ())),
        tuple(rule.get("resourceNames", ())),
    )


def _documents(path: Path) -> list[Object]:
    loaded = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    return [doc for doc in loaded if isinstance(doc, dict) and "kind" in doc and "metadata" in doc]


def _namespace(doc: Object) -> str:
    if doc["kind"].startswith("Cluster"):
        return ""
    return str(doc["metadata"].get("namespace") or NAMESPACE)


def _binds_bot(doc: Object) -> bool:
    subjects = doc.get("subjects") or []
    return any(s.get("kind") == "ServiceAccount" and s.get("name") == SERVICE_ACCOUNT for s in subjects)


def _covers(patterns: Sequence[str], value: str) -> bool:
    return value in patterns or "*" in patterns
