"""Judges whether the admission policies that are installed are those that the bot needs now. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.core import words
from bot.domain.rbac.admission import BINDING, GROUP, POLICY, REMAKE, RESOURCES

Object = Mapping[str, Any]
FOLDER = "deploy/options/admission"


@dataclass(frozen=True)
class Unread:
    """An object that could not be read, and why."""

    why: str
    forbidden: bool = False
    """Whether the bot may not read it."""
    absent: bool = False
    """Whether the API server offers no such objects."""


Found = Object | Unread | None
"""What is installed: the object; why that isn't known; None where there is none."""


@dataclass(frozen=True)
class Verdict:
    """One line of the report: ``ok`` is None for a note."""

    ok: bool | None
    detail: str
    remedy: str | None = None


def judge(wanted: Sequence[Object], found: Sequence[Found], account: str) -> Verdict:
    """Compare what is installed with what the settings and runbooks need for ``account``; one for each wanted."""
    if (unread := next((one for one in found if isinstance(one, Unread)), None)) is not None:
        return _unread(unread)
    if all(one is None for one in found):
        return Verdict(
            None,
            "no admission policies are installed: the account may run any command in any pod of the namespace, "
            "and patch anything of the Deployment",
            f"Apply {FOLDER}, made for your settings by `agentpod runbook rights --policies`, if you want less.",
        )
    pairs = zip(wanted, found, strict=True)
    wrong = [f"{_named(one)} {said}" for one, there in pairs for said in _wrong(one, _object(there), account)]
    if wrong:
        more = f" and {len(wrong) - _MOST} more" if len(wrong) > _MOST else ""
        return Verdict(
            False,
            f"the admission policies are not those that are needed: {'; '.join(wrong[:_MOST])}{more}",
            words.upper_first(REMAKE) + ".",
        )
    waiting = [_named(one) for one, there in zip(wanted, found, strict=True) if _unobserved(_object(there))]
    if waiting:
        said = f"the API server has not compiled yet: {', '.join(waiting)}"
        return Verdict(
            None, said, "Check again in a minute; if it stays so, see the kube-controller-manager's log."
        )
    count = sum(one["kind"] == POLICY for one in wanted)
    return Verdict(True, f"{count} admission policies hold {account} to what the settings and runbooks need")


_MOST = 4
"""Most faults in one line."""


def _unread(unread: Unread) -> Verdict:
    if unread.absent:
        said = f"this API server offers no admission policies ({GROUP}/v1), so none limits the account"
        return Verdict(None, said, f"Kubernetes has them since 1.30: see {FOLDER}.")
    said = f"unknown whether admission policies are installed, and which: {unread.why}"
    if unread.forbidden:
        return Verdict(None, said, f"Apply {FOLDER}: its ClusterRole lets the bot read them, and nothing else.")
    return Verdict(None, said)


def _object(found: Found) -> Object | None:
    return None if isinstance(found, Unread) else found


def _named(one: Object) -> str:
    kind = "policy" if one["kind"] == POLICY else "binding"
    return f"{kind} {one['metadata']['name']}"


def _wrong(wanted: Object, found: Object | None, account: str) -> Iterator[str]:
    """What is wrong with one policy or binding."""
    if found is None:
        yield "is missing"
        return
    spec, there = wanted["spec"], found.get("spec", {})
    if wanted["kind"] == BINDING:
        yield from _binding(spec, there)
        return
    if there.get("matchConditions") != spec["matchConditions"]:
        yield f"is not for the account {account}"
    if there.get("failurePolicy") != spec["failurePolicy"]:
        yield "lets requests pass that it can't judge (failurePolicy)"
    if there.get("matchConstraints") != spec["matchConstraints"]:
        yield "looks at other requests"
    parts = ("validations", "variables")
    if any(there.get(part, []) != spec.get(part, []) for part in parts) or set(there) - set(spec):
        yield "demands something else: it is older, or made from other settings or another runbook"
    status = found.get("status", {})
    for warning in status.get("typeChecking", {}).get("expressionWarnings", []):
        where, said = warning.get("fieldRef", ""), " ".join(str(warning.get("warning", "")).split())
        yield f"has an error at {where}: {words.cut(said, 200)}"


def _binding(wanted: Object, there: Object) -> Iterator[str]:
    if there.get("policyName") != wanted["policyName"]:
        yield "is of another policy"
    actions = there.get("validationActions", [])
    if "Deny" not in actions:
        yield f"does not refuse anything (validationActions: {', '.join(map(str, actions)) or 'none'})"
    if set(there) - set(wanted):
        yield "is limited to some requests (matchResources or paramRef)"


def _unobserved(found: Object | None) -> bool:
    if found is None or "failurePolicy" not in found.get("spec", {}):
        return False  # a binding has no status
    return bool(found.get("status", {}).get("observedGeneration") != found["metadata"].get("generation"))


def resource_of(wanted: Object) -> str:
    """The plural of a policy's or binding's kind."""
    return RESOURCES[wanted["kind"]]
