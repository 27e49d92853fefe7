"""The alert that a repair was asked for at: which one it is, and whether its problem is gone meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.incidents import incident_card, message_keys
from bot.domain.incidents.alerting import Incident
from bot.domain.outbox.key import MessageKey
from bot.ports.ledger import Ledger, Writing
from bot.services.approvals.changes import enqueue_card


async def only_open(ledger: Ledger, target: str) -> str:
    """The key of the target's only open alert; empty where none is open, or several are."""
    found = {one.root for one in await ledger.incidents(live=True) if one.problem.target == target}
    return found.pop() if len(found) == 1 else ""


async def meanwhile(ledger: Ledger, repair: RepairRequest, now: datetime) -> str:
    """That the problem of an open request's alert is gone; empty while it is there, and without an alert."""
    key = MessageKey(repair.beside)
    if repair.state is not RequestState.OPEN or key.kind not in (message_keys.INCIDENT, message_keys.GROUP):
        return ""
    if key.kind == message_keys.GROUP:
        members = await ledger.incidents(group=key.id, limit=None)
        return (
            "" if not members or any(one.there for one in members) else incident_card.group(members, now).headline
        )
    incident = await ledger.incident(key.id)
    return "" if incident is None or incident.there else incident_card.headline(incident, now)


async def refresh(tx: Writing, incidents: Sequence[Incident]) -> None:
    """Have the cards updated of open requests that were asked for at the alerts of these incidents."""
    keys = {key for one in incidents for key in (one.root, message_keys.incident(one.id))}
    for target in sorted({one.problem.target for one in incidents}):
        for repair in await tx.open_requests(target):
            if repair.state is RequestState.OPEN and repair.beside in keys:
                await enqueue_card(tx, repair)
