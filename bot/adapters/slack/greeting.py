"""Has people and channels welcomed, each once. Those that were are remembered, to spare the ledger."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Protocol

from bot.domain.rbac.access import Identity
from bot.errors import AgentpodError

logger = logging.getLogger("agentpod.slack")
MOST = 2000
"""Maximum remembered people and channels."""


class Welcome(Protocol):
    """Welcomes, once. Methods raise as the ledger does."""

    async def person(self, who: Identity) -> bool:
        """Welcome a person by direct message."""

    async def channel(self, id_: str) -> bool:
        """Welcome a channel."""


class Greeting:
    """Welcomes whom it has not seen. A failure is logged: the next message tries again."""

    def __init__(self, welcome: Welcome | None) -> None:
        """Without ``welcome`` nobody is welcomed."""
        self._welcome = welcome
        self._known: OrderedDict[str, None] = OrderedDict()

    async def person(self, who: Identity) -> None:
        """Welcome a person of the app's own team."""
        if self._welcome is None or who.user in self._known or not who.membership.own:
            return
        try:
            await self._welcome.person(who)
        except AgentpodError as error:
            logger.warning("not welcomed: %s", error.message, extra={"user": who.user})
            return
        self._remember(who.user)

    async def channel(self, id_: str) -> None:
        """Welcome a channel that the bot has joined."""
        if self._welcome is None or id_ in self._known:
            return
        try:
            await self._welcome.channel(id_)
        except AgentpodError as error:
            logger.warning("not welcomed: %s", error.message, extra={"channel": id_})
            return
        self._remember(id_)

    def _remember(self, id_: str) -> None:
        self._known[id_] = None
        if len(self._known) > MOST:
            self._known.popitem(last=False)
