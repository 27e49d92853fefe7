"""Throws away what happened too long ago for any digest, whether or not one is posted."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger

logger = logging.getLogger("agentpod.watch")

KEPT = timedelta(days=15)
EVERY = timedelta(hours=1)


@dataclass
class HistoryRetention:
    """Keeps the ledger from growing for ever."""

    ledger: Ledger
    clock: Clock

    async def run(self) -> None:
        """Now and every hour until cancelled. The ledger's absence is waited out."""
        while True:
            try:
                await self.forget()
            except AgentpodError as error:
                logger.info("old history was not thrown away: %s", error.message)
            await asyncio.sleep(EVERY.total_seconds())

    async def forget(self) -> None:
        """Throw away what is older than `KEPT`."""
        await self.ledger.forget_history(self.clock.now() - KEPT)
