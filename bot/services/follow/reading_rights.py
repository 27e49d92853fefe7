"""Whether somebody who follows a log may still read it."""

from __future__ import annotations

from bot.domain.rbac.access import AccessPolicy, Identity, decide
from bot.domain.rbac.membership import Membership
from bot.domain.rbac.roles import Capability
from bot.errors import Transient


def may_still_read(access: AccessPolicy, who: Identity, target: str) -> bool:
    """Whether somebody, whose groups were just looked up, may read a target's logs.

    Raises Transient where these could not be read.
    """
    if decide(access, who, Capability.READ_LOGS, (target,)).allowed:
        return True
    if who.unread_groups or who.membership in (Membership.UNKNOWN, Membership.UNREAD):
        raise Transient("The groups could not be read from Slack.")
    return False
