"""Identifies users: their team, from the payload and from Slack, and their user groups."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from bot.adapters.slack.api import Api
from bot.adapters.slack.errors import SlackRefused
from bot.adapters.slack.groups import FRESH, FRESH_ENOUGH, LAST_KNOWN, QUICK, RETRY, Groups
from bot.domain.rbac.access import AccessPolicy, Identity
from bot.domain.rbac.membership import Account, Claims, Home, account, by_payload, judge
from bot.errors import AgentpodError

logger = logging.getLogger("agentpod.slack")
MOST = 2000
"""Maximum cached accounts."""
_NOT_OURS = ("user_not_found", "user_not_visible")


@dataclass
class _CachedAccount:
    """A cached account (None if it could not be read), and when it was read and last tried, in seconds."""

    seen: Account | None
    at: float
    tried_at: float


class Accounts:
    """Reads users' accounts from Slack and caches them for five minutes."""

    def __init__(self, api: Api, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` returns seconds."""
        self._api, self._clock = api, clock
        self._known: OrderedDict[str, _CachedAccount] = OrderedDict()
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._said = False

    async def account(self, user: str, *, anew: bool = False, strict: bool = False) -> Account | None:
        """Return a user's account; None if it can't be read and the cached one is older than `LAST_KNOWN`.

        ``anew``: read again, unless Slack failed recently; ``strict``: accept nothing older than a few seconds.
        """
        began = self._clock()
        known = self._known.get(user)
        if known is None or self._due(known, began, anew=anew, strict=strict):
            await self._once(user, quick=anew and not strict and known is not None)
            known = self._known.get(user)
        oldest = began - (FRESH_ENOUGH if strict else LAST_KNOWN)
        return known.seen if known is not None and known.at >= oldest else None

    def name(self, user: str) -> str:
        """Return what a user is called, as far as that was read; empty otherwise. Nothing is asked for."""
        known = self._known.get(user)
        return known.seen.name if known is not None and known.seen is not None else ""

    def _due(self, known: _CachedAccount, now: float, *, anew: bool, strict: bool) -> bool:
        if known.seen is None or known.tried_at > known.at:
            return now - known.tried_at > (FRESH_ENOUGH if strict else RETRY)
        return now - known.at > (FRESH_ENOUGH if strict else FRESH) or (anew and known.at < now)

    async def _once(self, user: str, *, quick: bool) -> None:
        """Read an account; concurrent callers share one call."""
        task = self._reading.get(user)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._read(user, quick=quick), name="slack-account")
            self._reading[user] = task
            task.add_done_callback(lambda _: self._reading.pop(user, None))
        await asyncio.shield(task)

    async def _read(self, user: str, *, quick: bool) -> None:
        """Read an account; ``quick``: without retries, as a cached one will do."""
        seen: Account | None
        ask, seconds = (self._api.once, QUICK) if quick else (self._api.call, 5.0)
        try:
            answer = await ask("users.info", seconds, user=user)
            found = answer.get("user")
            seen = account(found) if isinstance(found, dict) else None
        except AgentpodError as error:
            seen = Account(stranger=True) if _unknown_here(error) else None
            if seen is None:
                self._complain(error)
        self._keep(user, seen)

    def _complain(self, error: AgentpodError) -> None:
        """Log that accounts can't be read, once until one can be read again."""
        if not self._said:
            logger.warning("membership not read: %s", error.message, extra={"remedy": error.remedy})
        self._said = True

    def _keep(self, user: str, seen: Account | None) -> None:
        now, old = self._clock(), self._known.pop(user, None)
        if seen is not None:
            self._said = False
            self._known[user] = _CachedAccount(seen, now, now)
        else:
            self._known[user] = replace(old, tried_at=now) if old else _CachedAccount(None, now, now)
        if len(self._known) > MOST:
            self._known.popitem(last=False)


def _unknown_here(error: AgentpodError) -> bool:
    return isinstance(error, SlackRefused) and error.word in _NOT_OURS


class People:
    """Builds the identities of users."""

    def __init__(self, groups: Groups, accounts: Accounts, policy: AccessPolicy, home: Home) -> None:
        """``home``: the app's own team."""
        self._groups, self._accounts, self._home = groups, accounts, home
        self._matters = policy.everybody()

    async def identity(
        self, user: str, channel: str, claims: Claims, *, anew: bool = False, strict: bool = False
    ) -> Identity:
        """Return a user's identity.

        ``anew``: as Slack reports it now, if it answers; ``strict``: use nothing that it does not confirm now.
        """
        fresh = anew or strict
        wanted = fresh or self._matters or by_payload(claims, self._home) is None
        found, seen = await asyncio.gather(
            self._groups.identity(user, channel, anew=anew, fresh=strict),
            self._account(user, wanted=wanted, anew=anew, strict=strict),
        )
        membership = judge(user, claims, self._home, seen)
        mine = found.groups if membership.own else frozenset()
        return replace(found, groups=mine, membership=membership, claims=claims)

    async def members(self, groups: Collection[str]) -> frozenset[str]:
        """Return the users in any of the groups. Raises Transient where one can't be read."""
        return await self._groups.members(groups)

    async def zone(self, user: str) -> str:
        """Return a user's time zone; empty where Slack doesn't say."""
        seen = await self._accounts.account(user)
        return seen.zone if seen is not None else ""

    async def _account(self, user: str, *, wanted: bool, anew: bool, strict: bool) -> Account | None:
        return await self._accounts.account(user, anew=anew, strict=strict) if wanted else None
