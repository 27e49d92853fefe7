"""Slack: messages in channels and direct messages, edited in place. Settings: ``slack``."""

from __future__ import annotations

import logging
from dataclasses import replace

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Reply
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.errors import NotFound
from bot.ports.chat import Chat

logger = logging.getLogger("agentpod.delivery")

COPY = "A copy of this message may be above: this one is kept up to date."


@dataclass(frozen=True)
class SlackSink:
    """Posts and edits messages through the `Chat` port. The content is a `Reply`."""

    chat: Chat
    name: str = "slack"

    async def deliver(self, message: OutboxMessage, content: Reply) -> MessageRef:
        """See `bot.ports.sinks.Sink`."""
        reply = replace(content, body=(*content.body, COPY)) if message.unsure else content
        if message.posted is not None:
            try:
                await self.chat.edit(message.posted, reply)
                return message.posted
            except NotFound:  # somebody deleted it
                logger.info("message was deleted and is posted again", extra={"delivery": message.key})
        if message.thread is not None:
            return await self.chat.post(message.thread.channel, reply, thread=message.thread.ts)
        return await self.chat.post(message.place, reply, thread=None)

    async def close(self) -> None:
        """Do nothing: the connection belongs to the chat."""
