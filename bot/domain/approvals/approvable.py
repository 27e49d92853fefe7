"""Check the settings: whether there are enough approvers for a request to be approved. Pure."""

from __future__ import annotations

from bot.domain.approvals.approval import ApprovalPolicy
from bot.domain.core import words
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.domain.rbac.roles import Capability

NOBODY = "approvals.needed is {needed}, and no access rule gives the role approver: nothing can be approved."


def unapprovable(access: AccessPolicy, policy: ApprovalPolicy) -> tuple[str, str] | None:
    """Why requests can't be approved, or not those made by an approver, with the remedy; None where they can."""
    approving = [rule for rule in access.rules if Capability.DECIDE in rule.role.may]
    if not approving:
        return _nobody(access, policy)
    if any(map(_open_ended, approving)):
        return None
    people = sorted({user for rule in approving for user in rule.users})
    missing = policy.needed - len(people)
    named = f"the access rules name {words.plural(len(people), 'approver')}"
    if missing > 0:
        return (
            f"approvals.needed is {policy.needed}, and {named}: nothing can be approved.",
            f"Name {missing} more with the role approver, or set approvals.needed to {len(people)} or less.",
        )
    if missing == 0 and not policy.self_approval:
        return (
            f"approvals.needed is {policy.needed}, and {named}: what one of them asks for can't be approved.",
            "Name another one with the role approver, or set approvals.self_approval.",
        )
    return None


def _nobody(access: AccessPolicy, policy: ApprovalPolicy) -> tuple[str, str] | None:
    """The problem of having no approvers; None where no rule lets anybody make requests, by default settings."""
    if policy == ApprovalPolicy() and not any(Capability.REQUEST in rule.role.may for rule in access.rules):
        return None
    return NOBODY.format(
        needed=policy.needed
    ), "Add an access rule such as {role: approver, users: [U0123456789]}."


def _open_ended(rule: AccessRule) -> bool:
    """Whether the rule's number of people is not known from the settings: a group, everybody, or a channel."""
    return bool(rule.groups) or "*" in rule.users or not rule.users
