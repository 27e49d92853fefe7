"""What time does to cases: requests expire, and what a dead process held is taken up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field

from bot.errors import AgentpodError
from bot.services.approvals.approval_service import ApprovalService
from bot.services.approvals.repair_executor import RepairExecutor

logger = logging.getLogger("agentpod.repairs")

EVERY = 1.0
"""Seconds between two looks while something is under way."""
IDLE = 10.0
"""Most seconds between two looks: commits wake it, and so does the time of the next deadline."""


@dataclass
class RequestRecovery:
    """Looks when something was committed or a deadline is over, at most once a second."""

    approval_service: ApprovalService
    executor: RepairExecutor
    _kick: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until cancelled. The ledger's absence is waited out; it is said by whoever needs it."""
        self.approval_service.ledger.on_change(self._kick.set)
        at_start = True
        while True:
            self._kick.clear()
            pause = EVERY
            try:
                await self.approval_service.expire()
                await self.executor.take_over(at_start=at_start)
                at_start = False
                pause = await self._until_deadline()
            except AgentpodError as error:
                logger.debug("no housekeeping: %s", error.message)
            await asyncio.sleep(EVERY)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause - EVERY):
                    await self._kick.wait()

    async def _until_deadline(self) -> float:
        """Seconds until time does something to a case."""
        now = self.approval_service.clock.now()
        at = await self.approval_service.ledger.next_deadline(now)
        return IDLE if at is None else min(IDLE, max(EVERY, (at - now).total_seconds()))
