"""Build the health-bridge's alert for a GitHub issue: the worst state of all incidents that share it. Pure.

The format is Alertmanager's webhook, version 4; the rules are in docs/alerts.md, "GitHub issues by the
health-bridge".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.domain.core import moments
from bot.domain.incidents import incident_card, sources
from bot.domain.incidents.alerting import Incident

NEVER = "0001-01-01T00:00:00Z"
"""Alertmanager's value for an unknown end."""


def alert(issue: str, incidents: Sequence[Incident], now: datetime) -> dict[str, Any] | None:
    """The webhook's body for an issue; None where none of its incidents was ever notified.

    ``incidents`` are those of the issue that are open or ended recently, in any order.
    """
    sent = [i for i in incidents if i.notified]
    if not sent:
        return None
    firing = [i for i in sent if i.open]
    shown = min(firing, key=_worst) if firing else max(sent, key=lambda i: i.resolved_at or i.opened_at)
    status = "firing" if firing else "resolved"
    labels = {"alertname": name(shown), "severity": _severity(shown), "github_issue": issue}
    return {
        "version": "4",
        "receiver": "agentpod",
        "groupKey": issue,
        "truncatedAlerts": 0,
        "status": status,
        "groupLabels": {"github_issue": issue},
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "",
        "alerts": [
            {
                "status": status,
                "labels": labels,
                "annotations": {
                    "summary": moments.bare(shown.problem.text),
                    "description": _description(firing or [shown], now),
                },
                "startsAt": _time(min(i.problem.since for i in firing or [shown])),
                "endsAt": NEVER if firing else _time(shown.recovered_at or shown.resolved_at or now),
                "generatorURL": "",
                "fingerprint": shown.id,
            }
        ],
    }


def kept(alert: Mapping[str, Any]) -> str:
    """What is stored of a sent body: the body while it is firing, nothing once it is resolved."""
    return json.dumps(alert, sort_keys=True) if alert["status"] == "firing" else ""


def state(issue: str, incidents: Sequence[Incident], last: str, now: datetime) -> dict[str, Any] | None:
    """The body to send for an issue, where ``last`` is the stored one (`kept`); None for nothing to send.

    An end is only sent after a beginning. An alert is also ended if its incident ended long ago, or the settings
    no longer assign it to the issue.
    """
    found = alert(issue, incidents, now)
    if found is not None and found["status"] == "firing":
        return found
    if not last:
        return None
    sent = _sent(last)
    if sent is None:
        return found
    known = sent["alerts"][0]["fingerprint"] in {i.id for i in incidents}
    return found if known and found is not None else _ended(sent, now)


def _sent(last: str) -> dict[str, Any] | None:
    """Parse the stored body; None where it can't be read."""
    try:
        sent: dict[str, Any] = json.loads(last)
        one = sent["alerts"][0]
        whole = isinstance(one["annotations"], dict) and isinstance(one["fingerprint"], str)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return None
    return sent if whole else None


def _ended(sent: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    one = sent["alerts"][0]
    said = {**one["annotations"], "description": "Nothing that is wrong belongs to this issue any more."}
    over = {**one, "status": "resolved", "endsAt": _time(now), "annotations": said}
    return {**sent, "status": "resolved", "alerts": [over]}


def name(incident: Incident) -> str:
    """The alert's name, such as ``session-manager-stale``."""
    return sources.of(incident.problem).alert_name(incident.problem)


def _severity(incident: Incident) -> str:
    return sources.of(incident.problem).alert_severity(incident.problem)


def _worst(incident: Incident) -> tuple[bool, datetime]:
    return (_severity(incident) != "critical", incident.problem.since)


def _description(incidents: Sequence[Incident], now: datetime) -> str:
    return moments.bare("\n".join(incident_card.headline(i, now) for i in sorted(incidents, key=_worst)[:20]))


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
