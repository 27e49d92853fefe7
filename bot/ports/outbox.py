"""Messages that wait to be sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.domain.core.reply import Line
from bot.domain.outbox.message import OutboxMessage


class Undelivered(Protocol):
    """Who knows what people call messages that could not be delivered."""

    async def __call__(self, messages: Sequence[OutboxMessage]) -> Sequence[Line]:
        """A line for each place and reason. Raises as the ledger does."""
