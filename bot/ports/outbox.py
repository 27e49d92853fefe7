"""How commands describe messages that could not be delivered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.domain.core.reply import Line
from bot.domain.outbox.message import OutboxMessage


class Undelivered(Protocol):
    """Describes undelivered messages by their kinds, which commands don't know."""

    async def __call__(self, messages: Sequence[OutboxMessage]) -> Sequence[Line]:
        """One line per place and reason. Raises as the ledger does."""
