"""Where a request's card goes, and what a person may decide about it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bot.domain.approvals.approval import ApprovalPolicy, Standing
from bot.domain.rbac.access import AccessPolicy, Identity, decide_about
from bot.domain.rbac.membership import Membership
from bot.domain.rbac.roles import Capability


def card_channel(configured: str, asked_in: str) -> str:
    """The channel of a request's card: the configured one, or where it is made; empty where that is none."""
    channel = configured or asked_in
    return channel if channel.startswith(("C", "G")) else ""  # else a direct message, the Home tab, a terminal


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
