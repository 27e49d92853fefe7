"""Alerts by direct message: who gets which, when, and the summary of what quiet hours held back. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Button, Reply
from bot.domain.incidents import incident_card, message_keys
from bot.domain.incidents.alerting import Incident
from bot.domain.outbox.preferences import Preferences


@dataclass(frozen=True)
class DirectAlert:
    """Somebody to alert; where quiet hours hold the alert back, ``until`` when."""

    user: str
    until: datetime | None


def alerts(
    incident: Incident, before: Incident | None, people: Sequence[Preferences], now: datetime
) -> Iterator[DirectAlert]:
    """Whom to alert of a change of an incident. Messages that show it already are updated in any case."""
    for one in people:
        if _alerts(incident, before, one):
            yield DirectAlert(one.user, one.held_until(incident.problem.severity, now))


def about(incident: Incident) -> str:
    """The id of what shows an incident: its own, or that of the group whose message it shares."""
    return incident.group if incident.group and not incident.apart else incident.id


def wanted(incident: Incident, one: Preferences) -> bool:
    """Whether somebody gets alerts of the incident's severity."""
    return incident.problem.severity in one.alerts


def _alerts(incident: Incident, before: Incident | None, one: Preferences) -> bool:
    """Whether the change is one to alert this person of.

    It fired, became as severe as they want it or critical, or went from a message of its own into a group's.
    """
    if not incident.there or not wanted(incident, one):
        return False
    if before is None or not before.notified or not wanted(before, one):
        return True
    raised = incident.problem.severity == "critical" != before.problem.severity
    moved = about(before) != about(incident) and message_keys.direct(about(before), one.user) in incident.direct
    return raised or moved


def held_back(alert: Reply) -> Reply:
    """The only alert that quiet hours held back, in full."""
    return replace(alert, notes=("Your quiet hours held this alert back.", *alert.notes))


def summary(incidents: Sequence[Incident], now: datetime) -> Reply:
    """What quiet hours held back, several incidents as they are now."""
    worst = min(incidents, key=incident_card.rank)
    return Reply(
        f"{incident_card.mark(worst, now)} Your quiet hours held back "
        f"{words.plural(len(incidents), 'alert')}: {_how(incidents)}",
        body=(incident_card.listed(incidents, now, timed=True),),
        buttons=(Button("Incidents", "incidents"),),
        shareable=False,
        repeatable=False,
    )


def _how(incidents: Sequence[Incident]) -> str:
    """How many of the alerts are left."""
    live = sum(i.there for i in incidents)
    if live:
        return "all are still firing" if live == len(incidents) else f"{live} still firing"
    return "none is firing now" if any(i.open for i in incidents) else "all are over"
