"""Derive which audit records must exist from the requests and incidents in the ledger.

A truncated audit trail is intact by itself. But each step of a request, and each answer to an incident, is written
with its audit record in one transaction, so a missing record can be detected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.audit import Trace
from bot.domain.incidents.alerting import Incident

_ENDED_BY_THE_BOT = (RequestState.SUCCEEDED, RequestState.FAILED, RequestState.VOID, RequestState.EXPIRED)


def traces(repairs: Iterable[RepairRequest], incidents: Iterable[Incident]) -> list[Trace]:
    """The audit records that the requests and incidents require."""
    of_repairs = [trace for repair in repairs for trace in _of_repair(repair)]
    return [*of_repairs, *(trace for incident in incidents for trace in _of_incident(incident))]


def _of_repair(repair: RepairRequest) -> Iterator[Trace]:
    yield Trace("request", repair.id, f"request {repair.id}", 1 + len(repair.joined))
    if repair.request.decisions:
        yield Trace("decision", repair.id, f"the decision on {repair.id}", len(repair.request.decisions))
    if repair.sent_at is not None or repair.state in (RequestState.EXECUTING, RequestState.SUCCEEDED):
        yield Trace("execution", repair.id, f"the execution of {repair.id}")
    if repair.state in _ENDED_BY_THE_BOT:
        yield Trace("outcome", repair.id, f"the outcome of {repair.id}")


def _of_incident(incident: Incident) -> Iterator[Trace]:
    answers = (incident.ack is not None) + bool(incident.snoozed_by)
    if answers:
        yield Trace("incident", incident.id, f"what was answered to incident {incident.id}", answers)
