"""The texts of policies: selectors, names of pods, strings of CEL."""

from __future__ import annotations

import pytest

from bot.domain.approvals.actions import registry as actions
from bot.domain.approvals.actions.action import RepairAction
from bot.domain.core.target import Target
from bot.domain.rbac import cel_text as cel
from bot.domain.rbac.admission import account_of, home_of
from bot.domain.rbac.admission_rules import Guarded
from bot.domain.rbac.writes import PodDeletion, SecretChange, TemplateChange


@pytest.mark.parametrize(
    ("selector", "expression"),
    [
        ("app=x", '("app" in l && l["app"] == "x")'),
        ("app == x", '("app" in l && l["app"] == "x")'),
        ("app=x,tier!=y", '("app" in l && l["app"] == "x") && !("tier" in l && l["tier"] == "y")'),
        ("a in (x, y),b notin (z)", '("a" in l && l["a"] in ["x", "y"]) && !("b" in l && l["b"] in ["z"])'),
        ("a/b.c, !d", '"a/b.c" in l && !("d" in l)'),
        ("a=", '("a" in l && l["a"] == "")'),
    ],
)
def test_a_label_selector_in_cel(selector: str, expression: str) -> None:
    assert cel.selects(selector, "l") == expression


@pytest.mark.parametrize("selector", ["", "a=b c", "a in x", "=x", "a>1", "(a)"])
def test_what_is_no_selector_is_refused(selector: str) -> None:
    with pytest.raises(ValueError, match="label selector"):
        cel.selects(selector, "l")


def test_a_string_is_ascii_whatever_is_in_it() -> None:
    assert cel.text('a"\n\\é\U0001f600\x7f') == r'"a\"\n\\\U000000e9\U0001f600\U0000007f"'


def test_the_home_of_an_account() -> None:
    assert home_of(account_of("ns")) == "ns"
    assert home_of("jane") is None
    assert home_of("system:serviceaccount:ns") is None


def test_the_name_of_a_pod_with_a_long_deployment_name() -> None:
    short = Guarded("n", "web", "app=web", [], []).own_pod
    assert short == r'request.name.matches("\\A(?:web-[a-z0-9]{1,10}-[a-z0-9]{5})\\z")'
    long = Guarded("n", "w" * 60, "app=web", [], []).own_pod
    assert f"(?:{'w' * 47}[a-z0-9.-]{{1,30}})" in long


WRITTEN = {
    TemplateChange: ("patch", "deployments"),
    SecretChange: ("patch", "secrets"),
    PodDeletion: ("delete", "pods"),
}


@pytest.mark.parametrize("action", actions.builtin())
def test_an_action_declares_what_its_writing_rights_are_for(action: RepairAction) -> None:
    target = Target(image_set=("kali",))
    granted = {
        (right.verb, right.resource)
        for right in action.rights(target)
        if right.verb not in ("get", "list", "watch") and not right.subresource
    }
    assert {WRITTEN[type(write)] for write in action.writes(target)} == granted
