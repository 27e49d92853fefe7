"""What is pending for a channel that was wrong goes to the right one as soon as the settings name it."""

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
"""Seconds until it is tried again when the ledger is away."""


@dataclass
class PendingRerouter:
    """Moves what is pending and posted nowhere yet, once at the start: settings don't change while it runs."""

    ledger: Ledger
    clock: Clock
    places: Mapping[str, str]
    """Where each kind of message goes now."""
    changed: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Until it is done. The ledger's absence is waited out."""
        while True:
            try:
                await self.move()
                return
            except AgentpodError as error:
                logger.warning("messages for other channels stay where they are: %s", error.message)
                await asyncio.sleep(AGAIN)

    async def move(self) -> int:
        """Move it; says how many messages."""
        moved = await self.ledger.reroute_pending(self.places, self.clock.now() - UNDELIVERED_FOR)
        if moved:
            logger.info("messages go to the channel that the settings name now", extra={"messages": moved})
            self.changed()
        return moved
