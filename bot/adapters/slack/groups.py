"""The members of the user groups in the access rules, read from Slack and cached for five minutes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable

from bot.adapters.slack.api import Api
from bot.adapters.slack.errors import SlackRefused
from bot.domain.rbac.access import Identity
from bot.errors import AgentpodError, Transient

logger = logging.getLogger("agentpod.slack")
FRESH = 300.0
"""Seconds for which a group's members are cached."""
FRESH_ENOUGH = 5.0
"""Maximum age of the members in seconds where a request is decided on."""
LAST_KNOWN = 600.0
"""Maximum age of the members in seconds if the group can't be read and no request is decided on."""
QUICK = 2.0
"""Seconds to wait for Slack if the members are cached."""
RETRY = 15.0
"""Seconds before a group that could not be read is tried again."""


class Groups:
    """The members of a few user groups."""

    def __init__(self, api: Api, groups: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        """``groups`` are those in the access rules; ``clock`` returns seconds."""
        self._api, self._groups, self._clock = api, sorted(groups), clock
        self._members: dict[str, frozenset[str]] = {}
        self._read_at: dict[str, float] = {}
        self._until: dict[str, float] = {}
        self._lock = asyncio.Lock()

    async def warm(self) -> None:
        """Read all groups, so that the first command need not wait for them."""
        await self.identity("", "")

    async def identity(self, user: str, channel: str, *, anew: bool = False, fresh: bool = False) -> Identity:
        """Return the user's identity with their groups.

        A group that can't be read keeps its last known members for `LAST_KNOWN` seconds, then grants nothing.
        ``anew``: read again, unless Slack failed recently. ``fresh``: use nothing older than a few seconds, as a
        request is decided by it; a group that can't be read then grants nothing.
        """
        came = self._clock()
        if not self._groups:
            return Identity(user, channel)
        async with self._lock:
            began = self._clock()
            limit = began + (FRESH - FRESH_ENOUGH if fresh else 0.0)
            due = [g for g in self._groups if self._until.get(g, 0.0) <= limit or (anew and self._old(g, came))]
            await asyncio.gather(*(self._read(g, quick=anew and not fresh) for g in due))
            oldest = began - (FRESH_ENOUGH if fresh else LAST_KNOWN)
            known = [g for g in self._groups if self._read_at.get(g, oldest - 1) >= oldest]
        mine = frozenset(g for g in known if user in self._members[g])
        return Identity(user, channel, mine, frozenset(self._groups) - frozenset(known))

    async def members(self, groups: Collection[str]) -> frozenset[str]:
        """Return the users in any of ``groups``, which are of those cached. Raises Transient for an unread one."""
        unread = (await self.identity("", "")).unread_groups & set(groups)
        if unread:
            raise Transient(f"The members of {', '.join(sorted(unread))} can't be read now.")
        return frozenset().union(*(self._members.get(group, frozenset()) for group in groups))

    def _old(self, group: str, came: float) -> bool:
        """Whether a group was read before ``came``, and the last attempt to read it did not fail."""
        read_at = self._read_at.get(group, 0.0)
        return read_at < came and self._until.get(group, 0.0) >= read_at + FRESH

    async def _read(self, group: str, *, quick: bool) -> None:
        """Read a group; ``quick``: without retries if its members are cached, as those will do."""
        once = quick and group in self._members
        ask, seconds = (self._api.once, QUICK) if once else (self._api.call, 5.0)
        try:
            answer = await ask("usergroups.users.list", seconds, usergroup=group)
        except AgentpodError as error:
            self._until[group] = self._clock() + RETRY
            if isinstance(error, SlackRefused) and error.word == "no_such_subteam":  # deleted: nobody is in it
                self._keep(group, frozenset())
            logger.warning("user group not read: %s", error.message, extra={"group": group})
            return
        self._keep(group, frozenset(map(str, answer.get("users") or ())))
        self._until[group] = self._clock() + FRESH

    def _keep(self, group: str, members: frozenset[str]) -> None:
        self._members[group], self._read_at[group] = members, self._clock()
