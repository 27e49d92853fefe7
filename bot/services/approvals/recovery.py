"""Expires overdue requests, and takes over requests whose process has died."""

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
"""Shortest time between two passes, in seconds."""
IDLE = 10.0
"""Longest time between two passes, in seconds; a commit or the next deadline starts one earlier."""


@dataclass
class RequestRecovery:
    """Runs after each commit and each deadline, at most once a second."""

    approval_service: ApprovalService
    executor: RepairExecutor
    _kick: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Run until cancelled. Ledger errors are only logged at debug level: other tasks report them."""
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
                logger.debug("recovery pass failed: %s", error.message)
            await asyncio.sleep(EVERY)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause - EVERY):
                    await self._kick.wait()

    async def _until_deadline(self) -> float:
        """Seconds until the next deadline of any request or lease, from `EVERY` to `IDLE`."""
        now = self.approval_service.clock.now()
        at = await self.approval_service.ledger.next_deadline(now)
        return IDLE if at is None else min(IDLE, max(EVERY, (at - now).total_seconds()))
