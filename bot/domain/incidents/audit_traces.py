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


def traces(cases: Iterable[RepairRequest], incidents: Iterable[Incident]) -> list[Trace]:
    """The audit records that the requests and incidents require."""
    of_cases = [trace for case in cases for trace in _of_case(case)]
    return [*of_cases, *(trace for incident in incidents for trace in _of_incident(incident))]


def _of_case(case: RepairRequest) -> Iterator[Trace]:
    yield Trace("request", case.id, f"request {case.id}", 1 + len(case.joined))
    if case.request.decisions:
        yield Trace("decision", case.id, f"the decision on {case.id}", len(case.request.decisions))
    if case.sent_at is not None or case.state in (RequestState.EXECUTING, RequestState.SUCCEEDED):
        yield Trace("execution", case.id, f"the execution of {case.id}")
    if case.state in _ENDED_BY_THE_BOT:
        yield Trace("outcome", case.id, f"the outcome of {case.id}")


def _of_incident(incident: Incident) -> Iterator[Trace]:
    answers = (incident.ack is not None) + bool(incident.snoozed_by)
    if answers:
        yield Trace("incident", incident.id, f"what was answered to incident {incident.id}", answers)
