"""A judgement at a later try: the repair would end more by now than was approved."""

from __future__ import annotations

from bot.domain.approvals.forecast import WORSE
from bot.domain.approvals.repair import RepairRequest
from bot.services.approvals.lease_holder import NotApproved


async def worse(repair: RepairRequest, seen: object) -> None:
    """Raise as an executor does."""
    raise NotApproved(repair, WORSE, ["Agent sessions that end: 1 more (pid 9)"])
