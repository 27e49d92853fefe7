"""A problem: what is wrong now; and why something is said of one. Pure.

Where it comes from, and what follows from that for how it is told, is its source's to say: see
`bot.domain.incidents.sources`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from bot.domain.core.target import Severity


class Reason(Enum):
    """Why something is said."""

    FIRST_FIRING = "firing"
    SEVERITY_RAISED = "got worse"
    REMINDER_DUE = "reminder"
    ACKED = "acknowledged"
    SNOOZED = "snoozed"
    SNOOZE_ENDED = "not muted any more"
    RESOLVED = "resolved"
    BLIND = "blind"
    SIGHT_REGAINED = "sees again"
    FLAPPING = "flapping"
    CLOSED = "closed"


@dataclass(frozen=True)
class Problem:
    """What is wrong now."""

    key: str
    """The same for the same thing: there is one open incident of it at most."""
    kind: str
    """What the ledger calls its source: `bot.domain.incidents.sources`."""
    target: str
    subject: str
    """What it is about, as messages call it: a job, the pod, the Pushgateway."""
    summary: str
    """What is wrong, after the subject: ``no heartbeat for 3 h 2 min``."""
    severity: Severity
    since: datetime
    """The deadline that was missed, or when it began; not when it was noticed."""
    facts: tuple[tuple[str, str], ...] = ()
    advice: str = ""
    """The command line that looks closer, without ``/agentpod``."""
    issue: str = ""
    """The GitHub issue that the health-bridge keeps for it."""
    hold: timedelta = timedelta()
    """How long it has to last before it is told, where that is longer than the rules' own."""
    keep: timedelta = timedelta()
    """How long it has to be gone until it is over, told or not, where that is longer than the rules' own."""
    muted: str = ""
    """Why nothing is said of it at present, in words; empty: nothing is in the way."""
    meaning: str = ""
    """What follows from it for the rest, in a sentence."""
    restart: bool = True
    """Whether a restart of the pod may help."""
    counted_from: str = "Since"
    """What the time of ``since`` is called in its message."""
    success: datetime | None = None
    """A job's last success: only a newer one is its recovery."""
