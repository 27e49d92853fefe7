"""Roles of the options. tests/core checks that base and the options that read are exactly what commands need."""

from __future__ import annotations

import pytest

from bot.domain.core import workload as rights
from bot.domain.rbac import admission, options
from sandbox.cluster.rbac import MANIFESTS, load_rules
from tests.deploy.rendered import FOLDERS, OPTIONS, Object, of_kind

Right = tuple[str, str, str, str, str]
EXACTLY: dict[str, set[Right]] = {
    "options/admission": {
        ("", "admissionregistration.k8s.io", resource, name, "get")
        for resource in ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
        for name in admission.names("secure-agent-pod")
    },
    "options/argocd": {("argocd", "argoproj.io", "applications", "secure-agent-pod", "get")},
    "options/egress": {("secure-agent-pod", "cilium.io", "ciliumnetworkpolicies", "", "list")},
    "options/cilium-repair": {
        ("kube-system", "", "pods", "", "list"),
        ("kube-system", "", "pods", "", "delete"),
        ("secure-agent-pod", "cilium.io", "ciliumnetworkpolicies", "agent-egress", "get"),
        ("secure-agent-pod", "cilium.io", "ciliumnetworkpolicies", "agent-egress", "delete"),
        ("secure-agent-pod", "cilium.io", "ciliumnetworkpolicies", "", "create"),
    },
    "options/configmaps": {("secure-agent-pod", "", "configmaps", "agent-settings", "get")},
    "options/configs-rotate": {
        ("secure-agent-pod", "", "secrets", "agent-configs", "get"),
        ("secure-agent-pod", "", "secrets", "agent-configs", "patch"),
    },
    "options/pushgateway": {
        ("monitoring", "", "services", "pushgateway", "get"),
        ("monitoring", "discovery.k8s.io", "endpointslices", "", "list"),
    },
    "options/servicemonitor": set(),
    "options/grafana": set(),
    "options/http-mode": set(),
}
"""``(namespace, group, resource, name, verb)``; no namespace: the whole cluster."""


def _rules(folder: str) -> list[tuple[str, Object]]:
    roles = of_kind(folder, "Role", "ClusterRole")
    return [(role["metadata"].get("namespace", ""), rule) for role in roles for rule in role["rules"]]


@pytest.mark.parametrize("folder", OPTIONS)
def test_an_option_grants_exactly_what_it_says(folder: str) -> None:
    granted = {
        (where, group, resource, name, verb)
        for where, rule in _rules(folder)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }
    assert granted == EXACTLY[folder]


@pytest.mark.parametrize("name", dict.fromkeys(option.name for option in options.OPTIONS))
def test_the_bot_knows_which_option_grants_a_right(name: str) -> None:
    for namespace, group, resource, named, verb in EXACTLY[f"options/{name}"]:
        found = options.option_of(rights.Right(verb, resource, group, name=named, namespace=namespace))
        assert found is not None
        assert found.folder == f"deploy/options/{name}"


def test_no_option_is_named_for_a_right_to_the_targets_own_pods() -> None:
    assert options.option_of(rights.Right("delete", "pods")) is None
    assert options.option_of(rights.Right("get", "secrets", name="agent-ssh-keys")) is None
    assert options.option_of(rights.Right("list", "pods", namespace="secure-agent-pod")) is None


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_rule_has_a_wildcard_or_leads_to_more_rights(folder: str) -> None:
    for _, rule in _rules(folder):
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert not {"escalate", "bind", "impersonate", "deletecollection"} & set(rule["verbs"])
        assert not {"roles", "rolebindings", "serviceaccounts/token", "nodes"} & set(rule["resources"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_rule_has_resource_names_where_they_have_no_effect(folder: str) -> None:
    for _, rule in _rules(folder):
        if "resourceNames" in rule:
            assert not {"list", "watch", "create"} & set(rule["verbs"]), rule


@pytest.mark.parametrize("folder", FOLDERS)
def test_roles_are_bound_to_the_bot_and_nobody_else(folder: str) -> None:
    assert not of_kind(folder, "ClusterRole", "ClusterRoleBinding") or folder == "options/admission"
    every = of_kind(folder, "Role", "ClusterRole")
    roles = {(r["metadata"].get("namespace", ""), r["metadata"]["name"]) for r in every}
    bindings = of_kind(folder, "RoleBinding", "ClusterRoleBinding")
    for binding in bindings:
        assert binding["roleRef"]["kind"] + "Binding" == binding["kind"]
        who = {"kind": "ServiceAccount", "name": "agentpod", "namespace": "secure-agent-pod"}
        assert binding["subjects"] == [who]
    assert {(b["metadata"].get("namespace", ""), b["roleRef"]["name"]) for b in bindings} == roles


def test_the_pretend_cluster_has_no_option_but_those_that_read() -> None:
    assert {rule.namespace for rule in load_rules(MANIFESTS)} == {"secure-agent-pod", "argocd"}
    assert {rule.verbs for rule in load_rules(MANIFESTS) if "cilium.io" in rule.groups} == {("list",)}
