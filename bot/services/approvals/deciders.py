"""Whether somebody may decide on a request in a direct message, as Slack says now who they are."""

from __future__ import annotations

from bot.domain.approvals.repair import RepairRequest
from bot.domain.rbac.access import AccessPolicy, decide_about
from bot.domain.rbac.membership import Membership
from bot.domain.rbac.roles import Capability
from bot.errors import Transient
from bot.ports.people import People

UNKNOWN = "It is not known now whether they may decide on it."


async def may_decide(access: AccessPolicy, people: People | None, user: str, repair: RepairRequest) -> bool:
    """Whether somebody may decide on a request in a direct message; checked again where they do.

    Raises Transient where that isn't known, as `People` does; ``people`` is None before Slack is connected.
    """
    if people is None:
        raise Transient(UNKNOWN)
    who = await people.person(user)
    allowed = decide_about(access, who, Capability.DECIDE, (repair.target,), repair.places).allowed
    if not allowed and (who.unread_groups or who.membership in (Membership.UNKNOWN, Membership.UNREAD)):
        raise Transient(UNKNOWN)
    return allowed
