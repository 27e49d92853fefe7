"""The chat in which the bot posts messages."""

from __future__ import annotations

from typing import Protocol

from bot.domain.core.reply import Reply
from bot.domain.outbox.message import MessageRef


class Chat(Protocol):
    """Posts and edits messages. Every method raises `bot.errors` only."""

    async def post(self, place: str, reply: Reply, *, thread: str | None = None) -> MessageRef:
        """Post a message in a channel, or (with a user's id) a direct message; in a thread if one is given.

        Raises `Permanent`, with the remedy, where the place can't be posted to, and `NotFound` where the thread's
        message was deleted; nothing was posted then.
        """

    async def is_shared(self, place: str) -> bool:
        """Whether people of another company are in a channel. Raises where that can't be read."""

    async def respond(self, url: str, reply: Reply) -> None:
        """Replace the private answer that ``url`` is for. Raises `NotFound` where it can't be any more."""

    async def permalink(self, at: MessageRef) -> str:
        """The address of a message, by which people open it in the chat; empty where it has none."""

    async def edit(self, at: MessageRef, reply: Reply) -> None:
        """Replace a message's content. Raises `NotFound` when the message was deleted."""
