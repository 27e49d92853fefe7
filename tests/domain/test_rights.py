"""Excess rights: found exactly, in any order of rules, by RBAC's matching."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.workload import PolicyRule, Right
from bot.domain.rbac import rights
from bot.domain.rbac.forbidden import FORBIDDEN, Where, to_ask
from bot.domain.rbac.rights import EVERYBODY, EVERYWHERE, Excess, Permission, combined, excess, summary
from sandbox.cluster import rbac

NEEDED = (
    Right("list", "pods"),
    Right("get", "pods", subresource="log"),
    Right("get", "secrets", name="tier2"),
    Right("get", "deployments", "apps", name="agent"),
    Right("get", "applications", "argoproj.io", name="agent", namespace="argocd"),
)


def rule(group: str, resource: str, verbs: str, *names: str) -> PolicyRule:
    return PolicyRule((group,), (resource,), tuple(verbs.split()), names)


@pytest.mark.parametrize(
    ("granted", "said"),
    [
        (rule("", "pods", "list"), []),
        (rule("", "pods", "list", "only-this"), []),
        (rule("", "pods/log", "get"), []),
        (rule("", "secrets", "get", "tier2"), []),
        (rule("", "pods", "get list watch"), ["get, watch pods"]),
        (rule("", "pods", "delete create list"), ["create, delete pods"]),
        (rule("", "pods", "fly delete get"), ["get, delete, fly pods"]),
        (rule("", "secrets", "get"), ["get secrets (any)"]),
        (rule("", "secrets", "get list"), ["get, list secrets (any)"]),
        (rule("", "secrets", "list", "tier2"), ['list secrets "tier2"']),
        (rule("", "secrets", "get", "tier2", "b", "a"), ['get secrets "a" "b"']),
        (rule("", "pods/*", "get"), ["get pods/*"]),
        (rule("", "services", " ".join(rights.VERBS)), ["read and change services"]),
        (rule("", "services", " ".join(rights.VERBS) + " fly"), ["read and change, fly services"]),
        (rule("", "*/log", "get"), ["get */log"]),
        (rule("", "*", "get"), ["get everything of the core group"]),
        (rule("apps", "*", "get"), ["get everything of apps"]),
        (rule("*", "*", "get"), ["get everything"]),
        (rule("*", "pods", "list"), ["list pods.*"]),
        (rule("", "pods", "*"), ["every verb on pods"]),
        (rule("apps", "deployments/scale", "patch"), ["patch deployments.apps/scale"]),
        (rule("apps", "deployments", "get", "other"), ['get deployments.apps "other"']),
        (rule("*", "*", "*"), ["everything (* on *)"]),
        (rule("argoproj.io", "applications", "get", "agent"), ['get applications.argoproj.io "agent"']),
        (rule("authorization.k8s.io", "selfsubjectrulesreviews", "create"), []),
        (rule("certificates.k8s.io", "clustertrustbundles", "get list watch"), []),
        (rule("certificates.k8s.io", "clustertrustbundles", "get delete"), None),
    ],
)
def test_excess_rights_are_summarised(granted: PolicyRule, said: list[str] | None) -> None:
    found = [str(entry) for entry in excess([granted], NEEDED)]
    assert found == (["delete clustertrustbundles.certificates.k8s.io"] if said is None else said)


def test_a_right_needed_in_another_namespace_is_in_excess_in_the_own_one() -> None:
    granted = [rule("argoproj.io", "applications", "get", "agent")]
    assert excess(granted, NEEDED, "argocd") == []
    assert len(excess(granted, NEEDED)) == 1
    assert len(excess([rule("", "pods", "list")], NEEDED, "argocd")) == 1


def test_what_is_needed_in_the_whole_cluster_is_fine_in_each_namespace() -> None:
    needed = [Right("list", "pods", namespace=EVERYWHERE)]
    for namespace in (None, "argocd", EVERYWHERE):
        assert excess([rule("", "pods", "list")], needed, namespace) == []


def test_rights_included_in_wider_ones_are_not_repeated() -> None:
    granted = [
        rule("", "*", "*"),
        rule("", "secrets", "get list"),
        rule("", "pods/exec", "create"),
        rule("", "pods", "delete", "one"),
        rule("apps", "deployments", "delete"),
    ]
    found = [str(entry) for entry in excess(granted, NEEDED)]
    assert found == ["every verb on everything of the core group", "delete deployments.apps"]


def test_a_subresource_of_everything_includes_that_of_each() -> None:
    granted = [rule("", "*/log", "get"), rule("", "deployments/log", "get delete"), rule("", "pods/exec", "get")]
    found = [str(entry) for entry in excess(granted, NEEDED)]
    assert found == ["get */log", "delete deployments/log", "get pods/exec"]


def test_the_worst_comes_first() -> None:
    granted = [
        rule("", "configmaps", "get"),
        rule("", "pods", "delete"),
        rule("", "secrets", "list"),
        rule("", "serviceaccounts", "impersonate"),
        rule("apps", "*", "get"),
    ]
    verbs = [entry.verbs for entry in excess(granted, NEEDED)]
    assert verbs == [("get",), ("impersonate",), ("list",), ("delete",), ("get",)]
    assert excess(granted, NEEDED)[0].resource == "*"


# Rules for all inputs

GROUPS, RESOURCES, NAMES = ("", "apps"), ("pods", "secrets", "pods/log"), ("", "a", "b")
VERBS = ("get", "list", "create", "impersonate")
atoms = st.builds(
    Permission, st.sampled_from(GROUPS), st.sampled_from(RESOURCES), st.sampled_from(NAMES), st.sampled_from(VERBS)
)
needs = st.lists(atoms.map(lambda grant: dataclasses.replace(grant.right(""), namespace=None)), max_size=8)
wild = st.builds(
    PolicyRule,
    st.lists(st.sampled_from((*GROUPS, "*")), min_size=1, max_size=2).map(tuple),
    st.lists(st.sampled_from((*RESOURCES, "*", "*/log")), min_size=1, max_size=2).map(tuple),
    st.lists(st.sampled_from((*VERBS, "*")), min_size=1, max_size=3).map(tuple),
    st.lists(st.sampled_from(NAMES[1:]), max_size=2).map(tuple),
)


def alone(grant: Permission) -> PolicyRule:
    return PolicyRule((grant.group,), (grant.resource,), (grant.verb,), (grant.name,) if grant.name else ())


def allows(rules: Sequence[PolicyRule], request: Permission) -> bool:
    """RBAC's answer by the fake cluster, which other tests compare with a real one."""
    asked = (request.verb, request.group, request.resource, request.name, "here")
    return any(rbac.Rule("", r.groups, r.resources, r.verbs, r.names).allows(*asked) for r in rules)


@given(needs, st.randoms())
def test_exactly_the_needed_rights_are_never_in_excess(needed: list[Right], chance: Random) -> None:
    granted = [alone(Permission.of(right)) for right in needed] + [alone(grant) for grant in EVERYBODY]
    chance.shuffle(granted)
    assert excess(granted, needed) == []


@given(needs, atoms, st.randoms())
def test_any_other_right_is_reported_and_nothing_else(
    needed: list[Right], more: Permission, chance: Random
) -> None:
    granted = [alone(Permission.of(right)) for right in needed] + [alone(more)]
    expected = [] if allows(granted[:-1], more) else [alone(more)]
    chance.shuffle(granted)
    found = excess(granted, needed)
    assert [PolicyRule((e.group,), (e.resource,), e.verbs, e.names) for e in found] == expected


@given(st.lists(wild, max_size=4), needs, st.randoms())
def test_the_order_of_rules_makes_no_difference(
    granted: list[PolicyRule], needed: list[Right], chance: Random
) -> None:
    before = excess(granted, needed)
    chance.shuffle(granted)
    assert excess(granted, needed) == before


@given(st.lists(wild, max_size=4), needs, atoms)
def test_reported_rights_are_granted_and_all_excess_is_reported(
    granted: list[PolicyRule], needed: list[Right], request: Permission
) -> None:
    found = [PolicyRule((e.group,), (e.resource,), e.verbs, e.names) for e in excess(granted, needed)]
    if allows(found, request):
        assert allows(granted, request)
    elif allows(granted, request):
        assert allows([alone(Permission.of(right)) for right in needed], request)


@given(wild, atoms)
def test_wider_grants_follow_rbac_s_matching(granted: PolicyRule, request: Permission) -> None:
    has = set(rights.grants([granted]))
    assert allows([granted], request) == (not has.isdisjoint(request.wider()))


@given(st.lists(wild, max_size=5), needs)
def test_findings_are_distinct(granted: list[PolicyRule], needed: list[Right]) -> None:
    said = [str(entry) for entry in excess(granted, needed)]
    assert len(said) == len(set(said))


# Where it holds

DELETE_PODS = Permission("", "pods", "", "delete")
ANY_PODS = Permission("", "pods", "", "*")


def test_cluster_wide_rights_are_not_repeated_for_namespaces() -> None:
    (entry,) = combined({DELETE_PODS: {"agents", "default", EVERYWHERE}}, NEEDED)
    assert entry.where == (EVERYWHERE,)


def test_a_wider_grant_replaces_narrower_ones_only_in_its_namespaces() -> None:
    found = combined({DELETE_PODS: {"agents", "default"}, ANY_PODS: {"default"}}, NEEDED)
    assert {(str(entry), entry.where) for entry in found} == {
        ("delete pods", ("agents",)),
        ("every verb on pods", ("default",)),
    }
    assert combined({DELETE_PODS: {"agents"}, ANY_PODS: {EVERYWHERE}}, NEEDED)[0].where == (EVERYWHERE,)


def test_the_summary_names_the_places_and_the_own_namespace_first() -> None:
    found = combined(
        {
            Permission("", "pods", "", "create"): {"agents"},
            Permission("", "pods", "", "list"): {"default", "kube-system"},
            Permission("", "users", "", "impersonate"): {EVERYWHERE},
            Permission("", "configmaps", "", "get"): {"default"},
        },
        NEEDED,
    )
    assert summary(found, "agents") == (
        "create pods; in the whole cluster: impersonate users; in default: get configmaps; "
        "in default and kube-system: list pods"
    )


def test_several_resources_with_the_same_verbs_are_joined() -> None:
    found = excess([PolicyRule(("",), ("nodes", "pods", "secrets"), ("get", "watch"))], NEEDED)
    own = [dataclasses.replace(entry, where=("agents",)) for entry in found]
    assert summary(own, "agents") == "get, watch secrets (any), nodes, pods"


def test_a_long_summary_ends_with_a_count_and_keeps_the_worst() -> None:
    many = [Excess("", f"kind{n}", (f"verb{n:02}",), where=("agents",)) for n in range(30)]
    worst = Excess("*", "*", ("*",), where=("agents",))
    said = summary([*many, worst], "agents", most=3)
    assert said == "everything (* on *); verb00 kind0; verb01 kind1; and 28 more"
    assert summary(many[:3], "agents", most=3) == "verb00 kind0; verb01 kind1; verb02 kind2"
    assert summary([], "agents") == ""


def test_a_long_list_of_resources_ends_with_a_count() -> None:
    many = [Excess("", f"kind{n}", ("get",), where=("agents",)) for n in range(4)]
    assert summary(many, "agents", most=3) == "get kind0, kind1, kind2 and 1 more"
    assert summary(many[:3], "agents", most=3) == "get kind0, kind1, kind2"


# What is asked for one by one


def test_every_forbidden_right_is_checked_in_each_of_its_places() -> None:
    asked = list(to_ask((), "agents", ("default", "kube-system")))
    assert len(asked) == len(set(asked))
    assert Right("list", "secrets", namespace="agents") in asked
    assert Right("list", "secrets", namespace="kube-system") in asked
    assert Right("impersonate", "groups", namespace=EVERYWHERE) in asked
    for entry in FORBIDDEN:
        assert any(dataclasses.replace(right, namespace=None) == entry.right for right in asked)


def test_what_is_needed_is_not_forbidden_there_but_elsewhere() -> None:
    needed = [Right("delete", "pods", namespace="agents"), Right("create", "pods", namespace=EVERYWHERE)]
    asked = list(to_ask(needed, "agents", ("default",)))
    assert {r.namespace for r in asked if r.verb == "delete" and r.resource == "pods"} == {"default", EVERYWHERE}
    assert not [r for r in asked if (r.verb, r.resource, r.subresource) == ("create", "pods", "")]


def test_a_name_that_is_needed_does_not_permit_all_names() -> None:
    needed = [Right("get", "secrets", name="tier2", namespace="agents")]
    assert Right("get", "secrets", namespace="agents") in set(to_ask(needed, "agents", ()))


def test_each_forbidden_right_has_a_place_and_a_reason_and_is_listed_once() -> None:
    assert len({entry.right for entry in FORBIDDEN}) == len(FORBIDDEN)
    for entry in FORBIDDEN:
        assert entry.reason
        assert entry.where
        assert len(set(entry.where)) == len(entry.where)
        assert entry.right.namespace is None
    assert {where for entry in FORBIDDEN for where in entry.where} == set(Where)
