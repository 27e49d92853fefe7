"""Who is in the user groups that access rules name, read from Slack and kept for five minutes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

from bot.adapters.slack.api import Api
from bot.domain.access import Identity
from bot.errors import AgentpodError

logger = logging.getLogger("agentpod.slack")
FRESH = 300.0
"""Seconds that a group's members are believed."""
FRESH_ENOUGH = 5.0
"""And where something is decided by it."""
RETRY = 15.0
"""Seconds before a group that could not be read is tried again."""


class Groups:
    """The members of a few user groups."""

    def __init__(self, api: Api, groups: Iterable[str]) -> None:
        """``groups`` are all that any rule names."""
        self._api, self._groups = api, sorted(groups)
        self._members: dict[str, frozenset[str]] = {}
        self._until: dict[str, float] = {}
        self._lock = asyncio.Lock()

    async def warm(self) -> None:
        """Read all groups, so that the first command need not wait for it."""
        await self.identity("", "")

    async def identity(self, user: str, channel: str, *, fresh: bool = False) -> Identity:
        """Who asks. A group that can't be read keeps its last known members, else grants nothing.

        ``fresh``: believe nothing that is older than a few seconds, since something is decided by it.
        """
        if not self._groups:
            return Identity(user, channel)
        async with self._lock:
            limit = time.monotonic() + (FRESH - FRESH_ENOUGH if fresh else 0.0)
            due = [g for g in self._groups if self._until.get(g, 0.0) <= limit]
            await asyncio.gather(*(self._read(g) for g in due))
        mine = frozenset(g for g in self._groups if user in self._members.get(g, ()))
        unread = frozenset(g for g in self._groups if g not in self._members)
        return Identity(user, channel, mine, unread)

    async def _read(self, group: str) -> None:
        try:
            answer = await self._api.call("usergroups.users.list", 5, usergroup=group)
        except AgentpodError as error:
            self._until[group] = time.monotonic() + RETRY
            logger.warning("user group not read: %s", error.message, extra={"group": group})
            return
        self._members[group] = frozenset(map(str, answer.get("users") or ()))
        self._until[group] = time.monotonic() + FRESH
