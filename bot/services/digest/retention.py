"""Deletes history that is too old for any digest, whether or not digests are posted."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger
from bot.services.repeat import repeat

logger = logging.getLogger("agentpod.watch")

KEPT = timedelta(days=15)
EVERY = timedelta(hours=1)


@dataclass
class HistoryRetention:
    """Keeps the history table from growing without bound."""

    ledger: Ledger
    clock: Clock

    async def run(self) -> None:
        """Delete now and every hour until cancelled. Ledger errors are logged; the next pass makes up for them."""
        await repeat(self.drop, EVERY, self._failed)

    def _failed(self, error: AgentpodError) -> None:
        logger.info("old history not deleted: %s", error.message)

    async def drop(self) -> None:
        """Delete history older than `KEPT`."""
        await self.ledger.drop_history(self.clock.now() - KEPT)
