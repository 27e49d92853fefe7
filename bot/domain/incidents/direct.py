"""Alerts by direct message: who gets which, when, and the summary of what quiet hours held back. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Button, Reply
from bot.domain.incidents import incident_card, message_keys
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.problem import Reason
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.preferences import Preferences


@dataclass(frozen=True)
class DirectMessage:
    """A message to send or, where it ``is_new`` to nobody, to update if it was sent before."""

    key: MessageKey
    user: str
    is_new: bool
    not_before: datetime | None = None


def messages(
    incident: Incident, before: Incident | None, people: Sequence[Preferences], now: datetime
) -> Iterator[DirectMessage]:
    """The direct messages that follow from a change of an incident."""
    for one in people:
        key = message_keys.direct(about(incident), one.user)
        if not _alerts(incident, before, one):
            yield DirectMessage(key, one.user, is_new=False)
            end = _held_until(incident, one)
            if end is not None and end <= now:
                yield DirectMessage(message_keys.summary(one.user, end), one.user, is_new=False)
        elif (until := one.held_until(incident.problem.severity, now)) is None:
            yield DirectMessage(key, one.user, is_new=True)
        else:
            yield DirectMessage(message_keys.summary(one.user, until), one.user, is_new=True, not_before=until)


def about(incident: Incident) -> str:
    """The id of what shows an incident: its own, or that of the group whose message it shares."""
    return incident.group if incident.group and not incident.apart else incident.id


def announced_at(incident: Incident) -> datetime | None:
    """When people were last called because of it: it fired, or became critical."""
    raised = [n.at for n in incident.notices if n.reason is Reason.SEVERITY_RAISED]
    return max([*raised, *([incident.fired_at] if incident.fired_at else [])], default=None)


def wanted(incident: Incident, one: Preferences) -> bool:
    """Whether somebody gets alerts of the incident's severity."""
    return incident.problem.severity in one.alerts


def _alerts(incident: Incident, before: Incident | None, one: Preferences) -> bool:
    """Whether the change is one to alert this person of: it fired, or became as severe as they want it."""
    if not incident.there or not wanted(incident, one):
        return False
    return before is None or not before.notified or not wanted(before, one)


def _held_until(incident: Incident, one: Preferences) -> datetime | None:
    at = announced_at(incident)
    return one.held_until(incident.problem.severity, at) if at is not None else None


def summary(incidents: Sequence[Incident], now: datetime) -> Reply:
    """What quiet hours held back, each incident as it is now."""
    live = [i for i in incidents if i.there]
    shown = sorted(incidents, key=incident_card.rank)[: incident_card.MOST]
    lines = [incident_card.headline(i, now) for i in shown]
    more = len(incidents) - len(shown)
    return Reply(
        f"{incident_card.mark(shown[0], now) if live else '✅'} Your quiet hours held back "
        f"{words.plural(len(incidents), 'alert')}: {f'{len(live)} still firing' if live else 'all are over'}",
        body=("\n".join([*lines, *([f"and {more} more"] if more > 0 else [])]),),
        buttons=(Button("Incidents", "incidents"),),
        shareable=False,
        repeatable=False,
    )
