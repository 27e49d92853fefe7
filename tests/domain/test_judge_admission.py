"""What `agentpod check` says of the admission policies, and of the pod's own ServiceAccount."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bot.domain.core.target import Target
from bot.domain.rbac.admission import BINDING, account_of, refusal
from bot.domain.rbac.judge_admission import Unread, judge
from bot.domain.rbac.pod_account import MOUNTED, PodAccount
from bot.domain.rbac.pod_account import account_of as pod_account
from bot.wiring.admission import manifests

ACCOUNT = account_of("secure-agent-pod")
WANTED = manifests([Target()], {})


def installed() -> list[Any]:
    """The policies as the API server gives them."""
    found: list[Any] = copy.deepcopy(WANTED)
    for one in found:
        one["metadata"] |= {"generation": 2, "uid": "u"}
        if one["kind"] != BINDING:
            one["status"] = {"observedGeneration": 2, "typeChecking": {}}
    return found


def test_policies_as_needed() -> None:
    verdict = judge(WANTED, installed(), ACCOUNT)
    assert (verdict.ok, verdict.remedy) == (True, None)
    assert verdict.detail == f"5 admission policies hold {ACCOUNT} to what the settings and runbooks need"


def test_none_at_all_is_a_note() -> None:
    verdict = judge(WANTED, [None] * 10, ACCOUNT)
    assert verdict.ok is None
    assert "no admission policies are installed" in verdict.detail
    assert "deploy/options/admission" in str(verdict.remedy)


def test_unreadable_ones_are_unknown() -> None:
    verdict = judge(WANTED, [Unread("the bot may not get x", forbidden=True)] * 10, ACCOUNT)
    assert verdict.ok is None
    assert "unknown whether" in verdict.detail
    assert "ClusterRole" in str(verdict.remedy)
    assert judge(WANTED, [Unread("no answer in 3 s")] * 10, ACCOUNT).remedy is None
    absent = judge(WANTED, [Unread("", absent=True)] * 10, ACCOUNT)
    said = "this API server offers no admission policies (admissionregistration.k8s.io/v1), so none limits"
    assert (absent.ok, absent.detail) == (None, f"{said} the account")


def _changed(place: str, value: Any) -> list[Any]:
    found = installed()
    one = found[0]
    *path, last = place.split(".")
    for key in path:
        one = one[key]
    one[last] = value
    return found


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("spec.failurePolicy", "Ignore", "lets requests pass that it can't judge"),
        (
            "spec.matchConditions",
            [{"name": "account", "expression": "other"}],
            f"is not for the account {ACCOUNT}",
        ),
        ("spec.validations", [], "demands something else: it is older"),
        ("spec.paramKind", {"kind": "x"}, "demands something else"),
        ("spec.matchConstraints", {}, "looks at other requests"),
        (
            "status.typeChecking",
            {
                "expressionWarnings": [
                    {"fieldRef": "spec.validations[0].expression", "warning": "undefined\nfield"}
                ]
            },
            "has an error at spec.validations[0].expression: undefined field",
        ),
    ],
)
def test_a_policy_that_is_not_the_needed_one(place: str, value: Any, says: str) -> None:
    verdict = judge(WANTED, _changed(place, value), ACCOUNT)
    assert verdict.ok is False
    assert f"policy agentpod.secure-agent-pod.exec {says}" in verdict.detail
    assert str(verdict.remedy).startswith("Generate them again with `agentpod runbook rights --policies`")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"validationActions": ["Audit", "Warn"]}, "does not refuse anything (validationActions: Audit, Warn)"),
        ({"validationActions": []}, "does not refuse anything (validationActions: none)"),
        ({"policyName": "other"}, "is of another policy"),
        ({"matchResources": {"namespaceSelector": {}}}, "is limited to some requests"),
    ],
)
def test_a_binding_that_does_not_enforce(spec: dict[str, Any], says: str) -> None:
    found = installed()
    found[1]["spec"] |= spec
    verdict = judge(WANTED, found, ACCOUNT)
    assert verdict.ok is False
    assert f"binding agentpod.secure-agent-pod.exec {says}" in verdict.detail


def test_missing_parts_are_named() -> None:
    found = installed()
    found[1] = found[4] = None
    verdict = judge(WANTED, found, ACCOUNT)
    assert verdict.ok is False
    assert "binding agentpod.secure-agent-pod.exec is missing" in verdict.detail
    assert "policy agentpod.secure-agent-pod.secrets is missing" in verdict.detail


def test_a_policy_that_is_not_compiled_yet_is_said() -> None:
    for status in ({}, {"observedGeneration": 1}):
        verdict = judge(WANTED, _changed("status", status), ACCOUNT)
        assert verdict.ok is None
        assert "not compiled yet: policy agentpod.secure-agent-pod.exec" in verdict.detail


def test_a_refusal_names_policy_and_reason() -> None:
    said = (
        "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'agentpod.ns.exec' with binding 'agentpod.ns.exec' "
        "denied request: this is no command; if it should, make the policies anew: "
        "agentpod runbook rights --policies"
    )
    assert refusal(said) == ("agentpod.ns.exec", "this is no command")
    assert refusal(said.replace("agentpod.ns", "other")) is None


TOKEN = {"name": "kube-api-access-x", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}


def test_the_pods_account_and_who_has_its_token() -> None:
    mount = {"name": "kube-api-access-x", "mountPath": MOUNTED}
    spec = {
        "serviceAccountName": "agent",
        "volumes": [TOKEN, {"name": "home"}],
        "containers": [
            {"name": "kali", "volumeMounts": [{"name": "home", "mountPath": "/home"}, mount]},
            {"name": "other"},
        ],
    }
    assert pod_account({"spec": spec}) == PodAccount("agent", ("kali",))
    assert pod_account({"spec": {"containers": [{"name": "kali"}]}}) == PodAccount("default", ())
    moved = {"volumes": [TOKEN], "containers": [{"name": "a", "volumeMounts": [{**mount, "mountPath": "/t"}]}]}
    assert pod_account({"spec": moved}) == PodAccount("default", ("a",))
