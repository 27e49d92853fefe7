"""Roles read from manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.cluster.rbac import ADMIN, BOT, DEFAULT, NAMESPACE, Authorizer, load_rules

MANIFEST = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r}
rules:
  - {apiGroups: [""], resources: [pods], verbs: [get, list]}
  - {apiGroups: [""], resources: [secrets], resourceNames: [one], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: r}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
subjects: [{kind: ServiceAccount, name: agentpod}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: unbound}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
"""


@pytest.fixture
def authorizer(tmp_path: Path) -> Authorizer:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "role.yaml").write_text(MANIFEST)
    return Authorizer(load_rules(tmp_path))


@pytest.mark.parametrize(
    ("verb", "resource", "name", "namespace", "allowed"),
    [
        ("list", "pods", "", NAMESPACE, True),
        ("list", "pods", "", "default", False),
        ("list", "pods", "", "", False),
        ("delete", "pods", "x", NAMESPACE, False),
        ("get", "pods/log", "x", NAMESPACE, False),
        ("get", "secrets", "one", NAMESPACE, True),
        ("get", "secrets", "two", NAMESPACE, False),
    ],
)
def test_only_rights_of_a_bound_role_are_allowed(authorizer, verb, resource, name, namespace, allowed):
    assert authorizer.allows(BOT, verb, "", resource, name, namespace) is allowed


def test_masters_may_do_everything(authorizer):
    assert authorizer.allows(ADMIN, "delete", "apps", "deployments", "x", NAMESPACE)


def test_without_manifests_the_built_in_list_holds(tmp_path):
    assert load_rules(tmp_path) == []
    assert Authorizer(DEFAULT).allows(BOT, "create", "", "pods/exec", "x", NAMESPACE)
