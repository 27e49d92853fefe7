"""People: who is in a user group, and what an account is now."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from bot.domain.rbac.access import Identity


class People(Protocol):
    """Looks up people. Methods raise `Transient` where that can't be read now."""

    async def members(self, groups: Collection[str]) -> frozenset[str]:
        """The users in any of these user groups."""

    async def person(self, user: str) -> Identity:
        """A user in their direct message with the bot, with account and groups as of the last minutes."""

    async def zone(self, user: str) -> str:
        """A user's time zone, as an IANA name; empty where it can't be read."""
