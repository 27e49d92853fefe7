"""Makes the ValidatingAdmissionPolicies that let the bot's account write what it needs and nothing else.

RBAC grants ``pods/exec`` and patches whole. These policies look into each request of the account, and of nobody
else: a command must be declared (`exec_forms`), a patch may change only what a repair changes (`writes`), a
deletion must be of the target's pod, and no other object may be written at all. They fail closed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.core.workload import Right
from bot.domain.rbac import admission_rules as rules
from bot.domain.rbac import cel_text as cel
from bot.domain.rbac.admission_rules import Guarded, Rules

GROUP = "admissionregistration.k8s.io"
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
RESOURCES = {POLICY: "validatingadmissionpolicies", BINDING: "validatingadmissionpolicybindings"}
ACCOUNT = "agentpod"
"""The bot's ServiceAccount."""
REMAKE_COMMAND = "agentpod runbook rights --policies"
REMAKE = f"generate them again with `{REMAKE_COMMAND}` and apply them; `agentpod check` says what differs"
"""What to do about a policy that refuses what the bot should do."""
_AGAIN = f"if it should, make the policies anew: {REMAKE_COMMAND}"
"""How a refusal's message ends, also for whoever uses the account by hand."""
_REFUSAL = re.compile(r"ValidatingAdmissionPolicy '(agentpod\.[^']+)' with binding '[^']*' denied request: (.*)")
LABELS = {"app.kubernetes.io/name": "agentpod", "app.kubernetes.io/part-of": "agentpod"}

Object = dict[str, Any]


@dataclass(frozen=True)
class _Part:
    """One policy: which requests it looks at, and what it demands of them."""

    name: str
    group: str
    version: str
    resource: str
    operations: tuple[str, ...]
    rules: Callable[[Sequence[Guarded]], Rules]


_PARTS = (
    _Part("exec", "", "v1", "pods/exec", ("CONNECT",), rules.commands),
    _Part("deployments", "apps", "v1", "deployments", ("UPDATE",), rules.deployments),
    _Part("secrets", "", "v1", "secrets", ("UPDATE",), rules.secrets),
    _Part("pods", "", "v1", "pods", ("DELETE",), rules.deletions),
    _Part("writes", "*", "*", "*/*", ("CREATE", "UPDATE", "DELETE", "CONNECT"), rules.others),
)


def account_of(namespace: str) -> str:
    """The user name of the bot's ServiceAccount in a namespace."""
    return f"system:serviceaccount:{namespace}:{ACCOUNT}"


def home_of(account: str) -> str | None:
    """The namespace of a ServiceAccount by its user name; None for another user."""
    parts = account.split(":")
    return parts[2] if parts[:2] == ["system", "serviceaccount"] and len(parts) == 4 else None


def names(home: str) -> list[str]:
    """The names of the policies, which are those of their bindings, for an account in the namespace ``home``."""
    return [f"agentpod.{home}.{part.name}" for part in _PARTS]


def reading_rights(home: str) -> list[Right]:
    """The rights to read the policies and bindings for an account in the namespace ``home``."""
    return [
        Right("get", resource, GROUP, name=name, namespace="")
        for resource in RESOURCES.values()
        for name in names(home)
    ]


def refusal(message: str) -> tuple[str, str] | None:
    """The policy that refused, and why, from the API server's message; None where no policy of the bot's did."""
    found = _REFUSAL.search(message)
    return (found[1], found[2].removesuffix(f"; {_AGAIN}")) if found is not None else None


def policies(account: str, home: str, guarded: Sequence[Guarded]) -> list[Object]:
    """Return the policies, each before its binding. Raises ValueError for a label selector that is none."""
    found = []
    for name, part in zip(names(home), _PARTS, strict=True):
        found.append(_object(POLICY, name, _policy(part, account, part.rules(guarded))))
        found.append(_object(BINDING, name, {"policyName": name, "validationActions": ["Deny"]}))
    return found


def _object(kind: str, name: str, spec: Mapping[str, Any]) -> Object:
    meta = {"name": name, "labels": dict(LABELS)}
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": meta, "spec": dict(spec)}


def _policy(part: _Part, account: str, demanded: Rules) -> Object:
    """A policy's spec, with the API server's defaults written out, to be compared with what is there."""
    rule = {
        "apiGroups": [part.group],
        "apiVersions": [part.version],
        "operations": list(part.operations),
        "resources": [part.resource],
        "scope": "*",
    }
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "namespaceSelector": {},
            "objectSelector": {},
            "resourceRules": [rule],
        },
        "matchConditions": [
            {"name": "account", "expression": f"request.userInfo.username == {cel.text(account)}"}
        ],
        "variables": [{"name": name, "expression": expression} for name, expression in demanded.variables.items()],
        "validations": [
            {"expression": expression, "message": f"{message}; {_AGAIN}", "reason": "Forbidden"}
            for expression, message in demanded.rules
        ],
    }
