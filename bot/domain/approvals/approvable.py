"""Whether requests can be approved, by the settings and by who is left, and who may break glass. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.domain.approvals.approval import ApprovalPolicy, RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.domain.core.reply import Line, Mention
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.domain.rbac.roles import Capability
from bot.domain.rbac.scope import covers

NOBODY = (
    "approvals.needed is {needed}, and no access rule gives the role approver{to}: nothing can be approved{there}."
)


def unapprovable(
    access: AccessPolicy, policy: ApprovalPolicy, targets: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Why requests can't be approved, or not those made by an approver, each with the remedy.

    ``targets`` are all of the settings': where rules are for some of them only, each is judged by itself.
    """
    for target in targets if access.narrowed else targets[:1]:
        found = _unapprovable(access, policy, target, f" for {target}" if access.narrowed else "")
        if found is not None:
            yield found


def giving(access: AccessPolicy, capability: Capability, target: str) -> list[AccessRule]:
    """The rules that give a capability for a target."""
    return [r for r in access.rules if capability in r.role.may and covers(r.targets, (target,))]


def _unapprovable(access: AccessPolicy, policy: ApprovalPolicy, target: str, of: str) -> tuple[str, str] | None:
    approving = giving(access, Capability.DECIDE, target)
    if not approving:
        return _nobody(access, policy, target, of)
    if any(map(_open_ended, approving)):
        return None
    people = sorted({user for rule in approving for user in rule.users})
    missing = policy.needed - len(people)
    named = f"the access rules name {words.plural(len(people), 'approver')}{of}"
    if missing > 0:
        return (
            f"approvals.needed is {policy.needed}, and {named}: nothing can be approved{' there' if of else ''}.",
            f"Name {missing} more with the role approver{of}, or set approvals.needed to {len(people)} or less.",
        )
    if missing == 0 and not policy.self_approval:
        return (
            f"approvals.needed is {policy.needed}, and {named}: what one of them asks for can't be approved.",
            f"Name another one with the role approver{of}, or set approvals.self_approval.",
        )
    return None


def mentioned(access: AccessPolicy, policy: ApprovalPolicy, repair: RepairRequest) -> tuple[str, ...]:
    """The ids of the users and groups that a card mentions: its channel's approvers whose approval would count.

    Rules for everybody (``*``) add none.
    """
    named = named_approvers(access, repair.target, repair.channel)
    return tuple(id_ for id_ in named if not excluded(repair, policy, id_))


def able(ids: Sequence[str], deed: str) -> Line:
    """The sentence that says who can do something, such as "approve this": users and groups, by their ids."""
    return (*_either(ids), f" can {deed}.")


def decide(ids: Sequence[str]) -> Line:
    """The sentence that says who can approve or deny a request: users and groups, by their ids."""
    return able(ids, "approve or deny this")


def _either(ids: Sequence[str]) -> list[str | Mention]:
    named: list[str | Mention] = [part for id_ in ids for part in (", ", Mention(id_))][1:]
    if len(ids) > 1:
        named[-2] = " or "
    return named


def to_message(access: AccessPolicy, target: str, channel: str) -> tuple[str, ...]:
    """The ids of the users and groups who may be sent a direct message about a request; none where everybody may
    decide on it."""
    rules = giving(access, Capability.DECIDE, target)
    if any(rule.everybody for rule in rules if not rule.channels or channel in rule.channels):
        return ()
    return named_approvers(access, target, channel)


def named_approvers(access: AccessPolicy, target: str, channel: str) -> tuple[str, ...]:
    """The ids of the users and groups whom rules make approvers for a target in a channel; ``*`` adds none."""
    rules = giving(access, Capability.DECIDE, target)
    here = [rule for rule in rules if not rule.channels or channel in rule.channels]
    return tuple(dict.fromkeys(id_ for rule in here for id_ in (*rule.groups, *rule.users) if id_ != "*"))


def entitled(repair: RepairRequest, access: AccessPolicy, policy: ApprovalPolicy) -> tuple[str, ...] | None:
    """The users whose approval would count for an open request; None where a rule for a group, a channel or
    everybody leaves open who they are."""
    approving = giving(access, Capability.DECIDE, repair.target)
    if any(map(_open_ended, approving)):
        return None
    return tuple(user for rule in approving for user in rule.users if not excluded(repair, policy, user))


def excluded(repair: RepairRequest, policy: ApprovalPolicy, user: str) -> bool:
    """Whether a user's approval can't count: they asked for it or joined it, or have approved it."""
    own = not policy.self_approval and user in (repair.request.requester, *repair.joined)
    return own or user in {decision.by for decision in repair.request.approvals}


def deadlock(repair: RepairRequest, access: AccessPolicy, policy: ApprovalPolicy) -> str:
    """Why an open request can't be approved any more, and what to do; empty where it can, or may be."""
    users = entitled(repair, access, policy)
    missing = repair.request.missing
    if repair.state is not RequestState.OPEN or users is None or len(set(users)) >= missing:
        return ""
    few = "nobody is left" if not users else f"only {len(set(users))} of the {missing} approvers it needs are left"
    return (
        f"{few}, because whoever asked for it can't approve it. "
        "Withdraw it: then one approver asks again, and another approves."
    )


def would_block(repair: RepairRequest, user: str, access: AccessPolicy, policy: ApprovalPolicy) -> bool:
    """Whether a request can be approved, but couldn't be any more if this user joined it."""
    joined = replace(repair, joined=(*repair.joined, user))
    return bool(deadlock(joined, access, policy)) and not deadlock(repair, access, policy)


def unable_to_break_glass(access: AccessPolicy, policy: ApprovalPolicy) -> tuple[str, str] | None:
    """Which of approvals.break_glass have no role that may, with the remedy; None where none surely lacks one."""
    able = [rule for rule in access.rules if Capability.BREAK_GLASS in rule.role.may]
    refused = [who for who in policy.break_glass if not any(_may_concern(rule, who) for rule in able)]
    if not refused:
        return None
    role = access.holders(Capability.BREAK_GLASS)[0]
    listed, are = words.listed(refused), "are" if len(refused) > 1 else "is"
    return (
        f"{listed} {are} in approvals.break_glass without the role {role}: break-glass is refused.",
        f"Add an access rule such as {{role: {role}, {_field(refused[0])}: [{refused[0]}]}}.",
    )


def _may_concern(rule: AccessRule, who: str) -> bool:
    """Whether a rule may give its role to a user, or a group's member: who is in a group is not known here."""
    return _open_ended(rule) or who.startswith("S") or who in rule.users


def _field(who: str) -> str:
    return "groups" if who.startswith("S") else "users"


def _nobody(access: AccessPolicy, policy: ApprovalPolicy, target: str, of: str) -> tuple[str, str] | None:
    """The problem of having no approvers; None where no rule lets anybody make requests, by default settings."""
    if policy == ApprovalPolicy() and not giving(access, Capability.REQUEST, target):
        return None
    narrowed = f", targets: [{target}]" if of else ""
    return (
        NOBODY.format(needed=policy.needed, to=of, there=" there" if of else ""),
        f"Add an access rule such as {{role: approver, users: [U0123456789]{narrowed}}}.",
    )


def _open_ended(rule: AccessRule) -> bool:
    """Whether the rule's number of people is not known from the settings: a group, everybody, or a channel."""
    return bool(rule.groups) or "*" in rule.users or not rule.users
