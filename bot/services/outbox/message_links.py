"""Links to the bot's own messages. A link that can't be made is left out: it never holds a message up."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import field

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Link
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import MessageRef
from bot.errors import AgentpodError
from bot.ports.chat import Chat
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger

logger = logging.getLogger("agentpod.delivery")

PATIENCE = 2.0
"""Seconds that a message waits for a link, by default."""
PAUSE = 30.0
"""Seconds without another try after one that failed."""
MOST = 500
"""Most addresses that are kept. A message's address never changes."""


@dataclass
class MessageLinks:
    """Makes links to messages of the outbox, each of whose addresses is asked for once."""

    ledger: Ledger
    clock: Clock
    chat: Chat | None = None
    """None until the bot is connected, and in a shell: then there are no links."""
    patience: float = PATIENCE
    """Seconds that a message waits for a link."""
    _kept: OrderedDict[MessageRef, str] = field(default_factory=OrderedDict)
    _asked: dict[MessageRef, asyncio.Task[str]] = field(default_factory=dict)
    """The calls under way."""
    _paused_until: float = 0.0

    async def to(self, label: str, key: MessageKey | str) -> tuple[Link, ...]:
        """A link to the message of that key; none where it isn't posted, or has no address. Never raises."""
        if self.chat is None or not key:
            return ()
        try:
            async with asyncio.timeout(self.patience):
                message = await self.ledger.delivery(MessageKey(key))
                return await self._link(label, message.posted) if message is not None and message.posted else ()
        except (AgentpodError, TimeoutError) as error:
            logger.info("a message is not linked: %s", getattr(error, "message", "no answer in time"))
            return ()

    async def _link(self, label: str, at: MessageRef) -> tuple[Link, ...]:
        url = await self._url(at)
        return (Link(label, url),) if url else ()

    async def _url(self, at: MessageRef) -> str:
        if (known := self._kept.get(at)) is not None:
            return known
        call = self._asked.get(at)
        if call is None:
            if self.chat is None or self.clock.monotonic() < self._paused_until:
                return ""
            call = self._asked[at] = asyncio.ensure_future(self._ask(self.chat, at))
        return await asyncio.shield(call)  # another message may wait for it too

    async def _ask(self, chat: Chat, at: MessageRef) -> str:
        """Ask Slack for an address, for whoever waits for it; empty after a failure, and then there is a pause."""
        url = ""
        try:
            async with asyncio.timeout(self.patience):
                url = self._kept[at] = await chat.permalink(at)
        except (AgentpodError, TimeoutError) as error:
            self._paused_until = self.clock.monotonic() + PAUSE
            logger.info("no link to a message: %s", getattr(error, "message", "no answer in time"))
        finally:
            self._asked.pop(at, None)
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return url
