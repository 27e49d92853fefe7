"""What a case's change means for the ledger: who holds it, and which messages it makes necessary."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.approvals import message_keys
from bot.domain.approvals.approval import ApprovalPolicy, State
from bot.domain.approvals.repair import Lease, RepairRequest
from bot.domain.health.rollout import ChangeMarker
from bot.ports.ledger import Writing

BOT = "agentpod"
"""The actor of what nobody did."""
HOLD = timedelta(seconds=10)
"""How long a process that carries something out is believed to live; it says so again long before."""
VALUE_WITHIN = timedelta(minutes=15)
"""How long an approved case waits for its value at least: somebody has to go and fetch it."""


def claimed(case: RepairRequest, by: str, now: datetime, lease: datetime) -> RepairRequest:
    """The case in the hands of one process, with the mark that its change will leave.

    ``now`` is the time here, ``lease`` the one by which leases go (see `Ledger.now`).
    """
    mark = ChangeMarker(started_at=now, old_pods=case.request.snapshot.pods, approval=case.id, generation=None)
    held = Lease(by, now, lease + HOLD)
    return replace(case.in_state(State.EXECUTING), mark=mark, held=held)


def value_until(case: RepairRequest, policy: ApprovalPolicy) -> datetime:
    """Until when an approved case takes its value."""
    decisions = case.request.decisions
    last = decisions[-1].at if decisions else case.request.created_at
    return last + max(policy.start_within, VALUE_WITHIN)


def is_person(who: str) -> bool:
    """Whether somebody can be told something: who asked in a terminal can't."""
    return who.startswith(("U", "W"))


async def owe_news(tx: Writing, case: RepairRequest) -> None:
    """Who has to hear of a change: the card, and at the end whoever asked or joined."""
    await tx.enqueue(message_keys.card(case.id), case.channel)
    if case.state.final:
        await tx.refresh(message_keys.unposted(case.id))
        for other in filter(is_person, case.joined):
            await tx.enqueue(message_keys.outcome(case.id, other), other)
    who = case.request.requester
    if not is_person(who):
        return
    if case.action.needs_value and case.approved:
        await tx.enqueue(message_keys.value(case.id), who)  # the same message says how it ended
    elif case.state.final and case.state is not State.WITHDRAWN:
        await tx.enqueue(message_keys.outcome(case.id), who)


async def owe_progress(tx: Writing, case: RepairRequest) -> None:
    """The message in the card's thread that shows how far it has come."""
    await tx.enqueue(message_keys.progress(case.id), case.channel, under=message_keys.card(case.id))
