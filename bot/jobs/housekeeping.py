"""What time does to cases: requests expire, and what a dead process held is taken up."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from bot.errors import AgentpodError
from bot.jobs.carry_out import Workshop
from bot.jobs.desk import Desk

logger = logging.getLogger("agentpod.repairs")

EVERY = 1.0
"""Seconds between two looks."""


@dataclass
class Housekeeping:
    """One look a second, one query each when there is nothing to do."""

    desk: Desk
    workshop: Workshop

    async def run(self) -> None:
        """Until cancelled. The ledger's absence is waited out; it is said by whoever needs it."""
        at_start = True
        while True:
            try:
                await self.desk.expire()
                await self.workshop.take_over(at_start=at_start)
                at_start = False
            except AgentpodError as error:
                logger.debug("no housekeeping: %s", error.message)
            await asyncio.sleep(EVERY)
