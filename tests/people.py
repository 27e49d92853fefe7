"""People for tests."""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.rbac.access import Identity
from bot.domain.rbac.membership import Membership


def member(user: str, channel: str = "", groups: Iterable[str] = (), unread: Iterable[str] = ()) -> Identity:
    """A full member of the app's own team."""
    return Identity(user, channel, frozenset(groups), frozenset(unread), Membership.MEMBER)
