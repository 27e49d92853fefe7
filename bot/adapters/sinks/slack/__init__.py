"""Slack: messages in channels and direct messages, edited in place. Settings: ``slack``."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Reply
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.errors import NotFound
from bot.ports.chat import Chat

if TYPE_CHECKING:
    from bot.domain.approvals.receipt import Update

logger = logging.getLogger("agentpod.delivery")

COPY = "A copy of this message may be above: this one is kept up to date."


@dataclass(frozen=True)
class ReceiptSink:
    """Updates the answers to those who asked for repairs, where they are. The content is an `Update`."""

    chat: Chat
    name: str = "receipt"

    async def deliver(self, message: OutboxMessage, content: Update) -> MessageRef:
        """See `bot.ports.sinks.Sink`. One that can't be updated any more is left as it is."""
        receipt = content.receipt
        try:
            if receipt.url:
                await self.chat.respond(receipt.url, content.reply)
            else:
                await self.chat.edit(MessageRef(receipt.channel, receipt.ts), content.reply)
        except NotFound as error:
            logger.info("a receipt is not updated: %s", error.message, extra={"delivery": message.key})
        return MessageRef(message.place, message.key)

    async def close(self) -> None:
        """Do nothing: the connection belongs to the chat."""


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
