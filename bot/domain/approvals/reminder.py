"""The reminder that an open request expires soon: when it is due, and what it says. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.approvals import card
from bot.domain.approvals.approval import ApprovalPolicy, RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.domain.core.reply import Mention, Reply, parts

SHARE = 6
"""The part of a request's time that is left at its reminder: of half an hour, five minutes."""
LEAST = timedelta(minutes=2)
"""Shortest time for an approver to look and decide."""


def due_at(repair: RepairRequest, policy: ApprovalPolicy) -> datetime | None:
    """When a request's reminder is due; None where the settings want none. Never in the first half of its time."""
    whole = repair.request.expires_at - repair.request.created_at
    wanted = max(whole / SHARE, LEAST) if policy.remind_before is None else policy.remind_before
    return repair.request.expires_at - min(wanted, whole / 2) if wanted else None


def is_due(repair: RepairRequest, policy: ApprovalPolicy, now: datetime) -> bool:
    """Whether an open request needs its reminder now: it had none, and there is still time to decide."""
    at = due_at(repair, policy)
    waits = repair.state is RequestState.OPEN and repair.reminded_at is None
    return waits and at is not None and at <= now < repair.request.expires_at


def reminder(repair: RepairRequest, approvers: Sequence[Mention], deadlock: str, now: datetime) -> Reply:
    """The message in the card's thread; once the request is decided, how it stands."""
    if repair.state is not RequestState.OPEN:
        return Reply(card.headline(repair), notes=(repair.id,), shareable=False, repeatable=False)
    ends = repair.request.expires_at
    missing = words.plural(repair.request.missing, "approval")
    return Reply(
        f"⏰ {card.what(repair)}: expires in {words.age(ends - now)}",
        body=(
            *card.warnings(repair),
            (
                "Asked by ",
                *parts(card.person(repair.request.requester)),
                f": {repair.reason}" if repair.reason else "",
            ),
            words.upper_first(deadlock)
            or f"{missing} still needed by {words.clock(ends)}. The buttons are on the card above.",
        ),
        notes=(repair.id,),
        notify=() if deadlock else tuple(approvers),
        shareable=False,
        repeatable=False,
    )
