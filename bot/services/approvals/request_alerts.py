"""The alert that a repair was asked for at: which one it is, and whether its problems are gone meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.incidents import incident_card, message_keys
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.sources.pod import POD_HEALTH
from bot.domain.outbox.key import MessageKey
from bot.ports.ledger import Ledger, Writing
from bot.services.approvals.changes import enqueue_card

_ALERTS = (message_keys.INCIDENT, message_keys.GROUP)


async def only_open(ledger: Ledger, target: str) -> str:
    """The key of the target's only open alert; empty where none is open, or several are."""
    found = {one.root for one in await ledger.incidents(live=True, limit=None) if one.problem.target == target}
    return found.pop() if len(found) == 1 else ""


async def meanwhile(ledger: Ledger, repair: RepairRequest, now: datetime) -> str:
    """That the problems of an open request's alert are gone; empty while one is there, and without an alert.

    Only those of the request's target count: its approvers need not have a role for other targets.
    """
    if repair.state is not RequestState.OPEN:
        return ""
    found = [one for one in await _alerted(ledger, repair) if one.problem.target == repair.target]
    pod = POD_HEALTH.key(repair.target)  # while it is there, nothing in the pod is well
    if not found or await _any_there(ledger, {pod, *(one.key for one in found)}):
        return ""
    return incident_card.group(found, now).headline if len(found) > 1 else incident_card.headline(found[0], now)


async def _alerted(ledger: Ledger, repair: RepairRequest) -> Sequence[Incident]:
    """The incidents of the alert at which a repair was asked for."""
    key = MessageKey(repair.beside)
    if key.kind == message_keys.GROUP:
        return await ledger.incidents(group=key.id, limit=None)
    incident = await ledger.incident(key.id) if key.kind == message_keys.INCIDENT else None
    return (incident,) if incident is not None else ()


async def _any_there(ledger: Ledger, keys: Collection[str]) -> bool:
    """Whether one of these problems is there now, be it as a newer incident or one without an alert yet."""
    for notified in (True, False):
        live = await ledger.incidents(live=True, notified=notified, limit=None)
        if any(one.there and one.key in keys for one in live):
            return True
    return False


async def refresh(tx: Writing, incidents: Sequence[Incident]) -> None:
    """Have the cards updated of open requests that were asked for at alerts of the targets of these incidents.

    At which incident each was asked for is not compared: the problem may be back as another one.
    """
    for target in sorted({one.problem.target for one in incidents}):
        for repair in await tx.open_requests(target):
            if repair.state is RequestState.OPEN and MessageKey(repair.beside).kind in _ALERTS:
                await enqueue_card(tx, repair)
