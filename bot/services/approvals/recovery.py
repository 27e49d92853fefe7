"""Expires overdue requests, reminds of those that expire soon, and takes over those whose process has died."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import field

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.lazy_dataclass import dataclass
from bot.errors import AgentpodError
from bot.services.approvals.approval_service import ApprovalService
from bot.services.approvals.approver_messages import ApproverMessages
from bot.services.approvals.receipts import ReceiptKeeper
from bot.services.approvals.reminders import remind
from bot.services.approvals.repair_executor import RepairExecutor

logger = logging.getLogger("agentpod.repairs")

EVERY = 1.0
"""Shortest time between two passes, in seconds."""
MOST = 1000
"""Open requests that one pass looks at."""
LOOKUP = 5.0
"""Seconds for finding out who the approvers are: a dead process's request must not wait longer."""
IDLE = 10.0
"""Longest time between two passes, in seconds; a commit or the next deadline starts one earlier."""


@dataclass
class RequestRecovery:
    """Runs after each commit and each deadline, at most once a second."""

    approval_service: ApprovalService
    executor: RepairExecutor
    approver_messages: ApproverMessages | None = None
    """None: approvers get no direct messages."""
    receipts: ReceiptKeeper | None = None
    """None: no receipts are followed."""
    _kick: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Run until cancelled. Ledger errors are only logged at debug level: other tasks report them."""
        self.approval_service.ledger.on_change(self._kick.set)
        at_start = True
        while True:
            self._kick.clear()
            pause = EVERY
            try:
                pause = await self._pass(at_start=at_start)
                at_start = False
            except AgentpodError as error:
                logger.debug("recovery pass failed: %s", error.message)
            await asyncio.sleep(EVERY)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause - EVERY):
                    await self._kick.wait()

    async def _pass(self, *, at_start: bool) -> float:
        """One pass; gives the seconds until the next one, from `EVERY` to `IDLE`.

        One query finds that no request is live, as is usual.
        """
        if not at_start and await self._until_deadline() is None:
            await self.approval_service.sum_up()
            return IDLE
        await self.approval_service.expire()
        waiting = await self.approval_service.ledger.requests(states=[RequestState.OPEN], limit=MOST)
        await remind(self.approval_service, waiting)
        if self.receipts is not None:
            await self.receipts.close_due()
        await self.executor.take_over(at_start=at_start)
        await self._message_approvers(waiting)
        left = await self._until_deadline()
        return IDLE if left is None else min(IDLE, max(EVERY, left))

    async def _message_approvers(self, waiting: Sequence[RepairRequest]) -> None:
        """Send the approvers' direct messages; a later pass tries again while Slack does not say who they are."""
        if self.approver_messages is None:
            return
        try:
            async with asyncio.timeout(LOOKUP):
                await self.approver_messages.send(waiting)
        except (AgentpodError, TimeoutError) as error:
            logger.debug("approvers not messaged: %s", error)

    async def _until_deadline(self) -> float | None:
        """Seconds until the next deadline of any request or lease; None where no request is live."""
        now = self.approval_service.clock.now()
        at = await self.approval_service.ledger.next_deadline(now)
        return None if at is None else (at - now).total_seconds()
