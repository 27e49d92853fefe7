"""What follows in the ledger from a change of a repair request: its lease, and the messages to enqueue."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.approvals import message_keys
from bot.domain.approvals.approval import ApprovalPolicy, RequestState
from bot.domain.approvals.repair import Lease, RepairRequest
from bot.domain.health.rollout import ChangeMarker
from bot.ports.ledger import Writing

BOT = "agentpod"
"""The audit trail's actor for changes that no person made."""
HOLD = timedelta(seconds=10)
"""Duration of a lease on a request. Its holder renews it every third of that."""
VALUE_WITHIN = timedelta(minutes=15)
"""Shortest time that an approved request waits for its value: somebody has to go and fetch it."""


def claimed(case: RepairRequest, by: str, now: datetime, lease: datetime) -> RepairRequest:
    """The request as executing, leased to the process ``by``, with the marker of the change to come.

    ``now`` is this process's time, ``lease`` the ledger's, which leases go by (see `Ledger.now`).
    """
    mark = ChangeMarker(started_at=now, old_pods=case.request.snapshot.pods, approval=case.id, generation=None)
    held = Lease(by, now, lease + HOLD)
    return replace(case.in_state(RequestState.EXECUTING), mark=mark, held=held)


def value_until(case: RepairRequest, policy: ApprovalPolicy) -> datetime:
    """Until when an approved request takes its value."""
    decisions = case.request.decisions
    last = decisions[-1].at if decisions else case.request.created_at
    return last + max(policy.start_within, VALUE_WITHIN)


def is_person(who: str) -> bool:
    """Whether this requester is a Slack user, who can be sent a message; a terminal's user can't."""
    return who.startswith(("U", "W"))


async def enqueue_messages(tx: Writing, case: RepairRequest) -> None:
    """Enqueue the messages about a changed request: its card, and at its end messages to all requesters."""
    await tx.enqueue(message_keys.card(case.id), case.channel)
    if case.state.final:
        await tx.refresh(message_keys.unposted(case.id))
        for other in filter(is_person, case.joined):
            await tx.enqueue(message_keys.outcome(case.id, other), other)
    who = case.request.requester
    if not is_person(who):
        return
    if case.action.needs_value and case.approved:
        await tx.enqueue(message_keys.value(case.id), who)  # this message is edited to show the outcome
    elif case.state.final and case.state is not RequestState.WITHDRAWN:
        await tx.enqueue(message_keys.outcome(case.id), who)


async def enqueue_progress(tx: Writing, case: RepairRequest) -> None:
    """Enqueue the progress message in the card's thread."""
    await tx.enqueue(message_keys.progress(case.id), case.channel, under=message_keys.card(case.id))
