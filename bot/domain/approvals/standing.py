"""What a person may decide about a request, by the access rules and the break-glass list. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bot.domain.approvals.approval import ApprovalPolicy, Standing
from bot.domain.rbac.access import AccessPolicy, Identity, decide_about
from bot.domain.rbac.membership import Membership
from bot.domain.rbac.roles import Capability


def standing(
    access: AccessPolicy,
    policy: ApprovalPolicy,
    identity: Identity,
    target: str,
    places: Sequence[str],
    *,
    joined: Collection[str] = (),
) -> Standing:
    """The rights of somebody in Slack to decide about a request for ``target``, in its channels ``places``.

    ``joined`` are those who made the same request while it was open.
    """
    approver = decide_about(access, identity, Capability.DECIDE, (target,), places).allowed
    listed = identity.membership is not Membership.GONE and policy.lets_alone(identity.user, identity.groups)
    alone = listed and decide_about(access, identity, Capability.BREAK_GLASS, (target,), places).allowed
    return Standing(identity.user, approver, alone, identity.user in joined, unread=identity.unread_groups)
