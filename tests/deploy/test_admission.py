"""The shipped admission policies are those for the handbook's defaults, and what the tools print."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bot.__main__ import main
from bot.domain.core.target import Target
from bot.domain.rbac import admission
from bot.wiring.admission import HEADER, as_yaml, manifests
from bot.wiring.runbook_tools import compiled
from tests.deploy.rendered import DEPLOY, render

SHIPPED = DEPLOY / "options/admission/policies.yaml"


def test_the_shipped_policies_are_those_of_the_handbooks_defaults() -> None:
    target = Target()
    made = as_yaml(manifests([target], {target.name: compiled("secure-agent-pod")}))
    hint = "write it anew: .venv/bin/agentpod runbook rights --policies > deploy/options/admission/policies.yaml"
    assert SHIPPED.read_text() == "\n".join([*HEADER, *made]) + "\n", hint


def test_the_tool_prints_them_and_without_the_option_the_roles_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGENTPOD_CONFIG", raising=False)
    assert main(["runbook", "rights", "--policies"]) == 0
    assert capsys.readouterr().out == SHIPPED.read_text()
    assert main(["runbook", "rights"]) == 0
    kinds = [one["kind"] for one in yaml.safe_load_all(capsys.readouterr().out) if one]
    assert kinds[:2] == ["Role", "RoleBinding"]
    assert kinds[2:] == [admission.POLICY, admission.BINDING] * 5


def test_another_account_is_named_in_every_policy(capsys: pytest.CaptureFixture[str]) -> None:
    account = "system:serviceaccount:bots:mine"
    assert main(["runbook", "rights", "--policies", "--account", account]) == 0
    found = list(yaml.safe_load_all(capsys.readouterr().out))
    assert {one["metadata"]["name"] for one in found} == set(admission.names("bots"))
    conditions = [one["spec"]["matchConditions"] for one in found if one["kind"] == admission.POLICY]
    assert conditions == [[{"name": "account", "expression": f'request.userInfo.username == "{account}"'}]] * 5


def test_wrong_usage_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runbook", "rights", "secure-agent-pod", "--policies"]) == 2
    assert "Usage: agentpod runbook" in capsys.readouterr().err


def test_every_policy_fails_closed_and_refuses() -> None:
    rendered = render("options/admission")
    policies = [one for one in rendered if one["kind"] == admission.POLICY]
    bindings = [one for one in rendered if one["kind"] == admission.BINDING]
    assert len(policies) == len(bindings) == 5
    assert {one["spec"]["failurePolicy"] for one in policies} == {"Fail"}
    assert {tuple(one["spec"]["validationActions"]) for one in bindings} == {("Deny",)}
    assert [one["metadata"]["name"] for one in bindings] == [one["spec"]["policyName"] for one in bindings]
