"""Drops closed requests, resolved incidents and sent messages some time after they were over."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger

logger = logging.getLogger("agentpod.ledger")

EVERY = timedelta(hours=1)
BATCHES = 20
"""Most transactions in a row: what is left then is dropped an hour later."""


@dataclass
class LedgerRetention:
    """Keeps the ledger from growing for ever; the audit trail is never dropped."""

    ledger: Ledger
    clock: Clock
    keep: timedelta

    async def run(self) -> None:
        """Now and every hour until cancelled. The ledger's absence is waited out."""
        while True:
            try:
                await self.drop()
            except AgentpodError as error:
                logger.info("nothing old was dropped: %s", error.message)
            await asyncio.sleep(EVERY.total_seconds())

    async def drop(self) -> int:
        """Drop what was over for longer than ``keep``; how many rows went. In between others may write."""
        before = await self.ledger.now(self.clock.now()) - self.keep
        gone = 0
        for _ in range(BATCHES):
            dropped = await self.ledger.drop_closed(before)
            gone += dropped
            if not dropped:
                break
        if gone:
            logger.info("dropped what was over for long", extra={"rows": gone, "before": before.isoformat()})
        return gone
