"""Moves pending messages to the channels that the settings name now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.domain.outbox.message import UNDELIVERED_FOR
from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger

logger = logging.getLogger("agentpod.delivery")

AGAIN = 30.0
"""Seconds until the next try when the ledger can't be used."""


@dataclass
class PendingRerouter:
    """Moves pending messages that are posted nowhere yet, once at the start: later the settings don't change."""

    ledger: Ledger
    clock: Clock
    places: Mapping[str, str]
    """Message kind → its channel by the current settings."""
    changed: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Move the messages; retry until the ledger takes it."""
        while True:
            try:
                await self.move()
                return
            except AgentpodError as error:
                logger.warning("pending messages not moved to their new channel yet: %s", error.message)
                await asyncio.sleep(AGAIN)

    async def move(self) -> int:
        """Move the messages; returns how many were moved."""
        moved = await self.ledger.reroute_pending(self.places, self.clock.now() - UNDELIVERED_FOR)
        if moved:
            logger.info("moved pending messages to the channel in the settings", extra={"messages": moved})
            self.changed()
        return moved
