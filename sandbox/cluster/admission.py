"""Admission that refuses: the bot's own policies where they are out of date, or somebody else's webhook."""

from __future__ import annotations

from bot.domain.rbac.admission import REMAKE_COMMAND
from sandbox.cluster.kinds import Kind
from sandbox.cluster.rbac import NAMESPACE
from sandbox.cluster.status import ApiError, denied

COMMANDS, CHANGES, WEBHOOK = "commands", "changes", "webhook"
"""The kinds of refusal: an own policy that knows no command, one that knows no change, a webhook."""
_AGAIN = f"if it should, make the policies anew: {REMAKE_COMMAND}"
_OWN = {
    "deployments": "agentpod changes nothing of a Deployment but annotations of its targets' pod templates",
    "secrets": "agentpod changes nothing of a Secret but one value, and only of its targets' Secrets",
    "pods": "agentpod deletes no other pods than its targets'",
}
_COMMAND = "this is no command that agentpod runs in this container"
_WEBHOOK = 'admission webhook "freeze.policy.example.com" denied the request: changes are frozen until Monday'

_FROZEN = 'admission webhook "policies.example.com" denied the request: network policies are frozen'


def refuse_command(fault: str, pod: Kind, name: str) -> None:
    """Raise ApiError 403 where a policy refuses each command."""
    if fault == COMMANDS:
        raise denied(pod, name, _policy("exec", _COMMAND))


def refuse_change(fault: str, kind: Kind, name: str) -> None:
    """Raise ApiError 403 where a policy or a webhook refuses each change, of a dry run as well."""
    if fault == WEBHOOK:
        raise ApiError(403, "Forbidden", _WEBHOOK)
    if fault == CHANGES:
        part = kind.plural if kind.plural in _OWN else "writes"
        raise denied(kind, name, _policy(part, _OWN.get(kind.plural, "agentpod writes no such object")))


def refuse_egress_policy(frozen: bool) -> None:
    """Raise ApiError 422 where a webhook refuses to create an egress policy, of a dry run as well."""
    if frozen:
        raise ApiError(422, "Invalid", _FROZEN)


def _policy(part: str, why: str) -> str:
    name = f"agentpod.{NAMESPACE}.{part}"
    return f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: {why}; {_AGAIN}"
