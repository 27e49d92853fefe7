"""What follows in the ledger from a change of a repair request: its lease, and the messages to enqueue."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.approvals import message_keys
from bot.domain.approvals.approval import ApprovalPolicy, RequestState
from bot.domain.approvals.repair import Lease, RepairRequest
from bot.domain.health.rollout import ChangeMarker
from bot.domain.outbox.key import MessageKey
from bot.ports.ledger import Writing

BOT = "agentpod"
"""The audit trail's actor for changes that no person made."""
HOLD = timedelta(seconds=10)
"""Duration of a lease on a request. Its holder renews it every third of that."""
VALUE_WITHIN = timedelta(minutes=15)
"""Shortest time that an approved request waits for its value: somebody has to go and fetch it."""


def claimed(repair: RepairRequest, by: str, now: datetime, lease: datetime) -> RepairRequest:
    """The request as executing, leased to the process ``by``, with the marker of the change to come.

    ``now`` is this process's time, ``lease`` the ledger's, which leases go by (see `Ledger.now`).
    """
    mark = ChangeMarker(started_at=now, old_pods=repair.request.snapshot.pods, approval=repair.id, generation=None)
    held = Lease(by, now, lease + HOLD)
    return replace(repair.in_state(RequestState.EXECUTING), mark=mark, held=held)


def value_until(repair: RepairRequest, policy: ApprovalPolicy) -> datetime:
    """Until when an approved request takes its value."""
    decisions = repair.request.decisions
    last = decisions[-1].at if decisions else repair.request.created_at
    return last + max(policy.start_within, VALUE_WITHIN)


def is_person(who: str) -> bool:
    """Whether this requester is a Slack user, who can be sent a message; a terminal's user can't."""
    return who.startswith(("U", "W"))


async def enqueue_messages(tx: Writing, repair: RepairRequest) -> None:
    """Enqueue the messages about a changed request: its card, and at its end messages to all requesters."""
    await enqueue_card(tx, repair)
    if repair.state.final:
        await tx.refresh(message_keys.unposted(repair.id))
        if repair.beside:
            await tx.refresh(MessageKey(repair.beside))
        for other in filter(is_person, repair.joined):
            await tx.enqueue(message_keys.outcome(repair.id, other), other)
    who = repair.request.requester
    if not is_person(who):
        return
    if repair.action.needs_value and repair.approved:
        await tx.enqueue(message_keys.value(repair.id), who)  # this message is edited to show the outcome
    elif repair.state.final and repair.state is not RequestState.WITHDRAWN:
        await tx.enqueue(message_keys.outcome(repair.id), who)


async def enqueue_card(tx: Writing, repair: RepairRequest) -> None:
    """Enqueue the card of a request, and the messages that repeat how it stands."""
    await tx.enqueue(message_keys.card(repair.id), repair.channel)
    if repair.reminded_at is not None:
        await tx.refresh(message_keys.reminder(repair.id))
    for user in repair.messaged or ():
        await tx.refresh(message_keys.approver(repair.id, user))
    await refresh_receipts(tx, repair)


async def refresh_receipts(tx: Writing, repair: RepairRequest) -> None:
    """Have the receipts of all who asked updated, of those that are followed."""
    for user in filter(is_person, (repair.request.requester, *repair.joined)):
        await tx.refresh(message_keys.receipt(repair.id, user))


async def enqueue_progress(tx: Writing, repair: RepairRequest) -> None:
    """Enqueue the progress message in the card's thread."""
    await tx.enqueue(message_keys.progress(repair.id), repair.channel, under=message_keys.card(repair.id))
