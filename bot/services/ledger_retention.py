"""Deletes closed requests, resolved incidents and sent messages once they are older than ``ledger.keep``."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger
from bot.services.repeat import repeat

logger = logging.getLogger("agentpod.ledger")

EVERY = timedelta(hours=1)
BATCHES = 20
"""Most transactions per pass; the rest is deleted an hour later."""


@dataclass
class LedgerRetention:
    """Keeps the ledger from growing without bound; never deletes the audit trail."""

    ledger: Ledger
    clock: Clock
    keep: timedelta
    also: Callable[[], Awaitable[None]] | None = None
    """What else is deleted each time."""

    async def run(self) -> None:
        """Delete now and every hour until cancelled. Ledger errors are logged; the next pass makes up for them."""
        await repeat(self.drop, EVERY, self._failed)

    def _failed(self, error: AgentpodError) -> None:
        logger.info("old entries of the ledger not deleted: %s", error.message)

    async def drop(self) -> int:
        """Delete what ended more than ``keep`` ago; returns the number of rows.

        Works in batches of one transaction each, so that others can write in between.
        """
        before = await self.ledger.now(self.clock.now()) - self.keep
        gone = 0
        for _ in range(BATCHES):
            dropped = await self.ledger.drop_closed(before)
            gone += dropped
            if not dropped:
                break
        if self.also is not None:
            await self.also()
        if gone:
            logger.info("deleted old entries of the ledger", extra={"rows": gone, "before": before.isoformat()})
        return gone
