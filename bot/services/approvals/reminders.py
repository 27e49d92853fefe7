"""Reminds of open requests that expire soon, once each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.approvals import message_keys, reminder
from bot.domain.approvals.repair import RepairRequest
from bot.services.approvals.approval_service import ApprovalService


async def remind(service: ApprovalService, found: Sequence[RepairRequest]) -> None:
    """Enqueue the reminders that are due for ``found``, open requests. Raises as the ledger does.

    The mark on the request and the message are one transaction, so that no other replica reminds again.
    """
    now = service.clock.now()
    for one in found:
        if not reminder.is_due(one, service.policy, now):
            continue
        async with service.ledger.writing() as tx:
            repair = await tx.request(one.id)
            if repair is None or not reminder.is_due(repair, service.policy, now):
                continue
            await tx.save(replace(repair, reminded_at=now))
            await tx.enqueue(message_keys.reminder(repair.id), repair.channel, under=message_keys.card(repair.id))
        service.changed()
