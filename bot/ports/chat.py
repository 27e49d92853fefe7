"""Where messages are shown."""

from __future__ import annotations

from typing import Protocol

from bot.domain.core.reply import Reply
from bot.domain.outbox.message import MessageRef


class Chat(Protocol):
    """Where the bot speaks by itself. Every method raises `bot.errors` only."""

    async def post(self, place: str, reply: Reply, *, thread: str | None = None) -> MessageRef:
        """A new message in a channel, or (a user's id) a direct message; in a thread if one is given.

        `Permanent` where the place can't be posted to, with the remedy; `NotFound`, and nothing posted, where the
        thread's message is gone.
        """

    async def edit(self, at: MessageRef, reply: Reply) -> None:
        """Show something else in place of a message. `NotFound` when it is gone."""
