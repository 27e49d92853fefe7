"""Events of jobs, pods and sources that the digest is made from. The ledger keeps them for some days."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

BEAT = "beat"
"""`HistoryEvent.what` of a received heartbeat. Other values are a job's `heartbeat.Health`, and words for the
state of the pod or the source."""

SOURCE = "source"
"""`HistoryEvent.subject` of events of the Pushgateway. Events of a source belong to no target."""


def pod_source(target: str) -> str:
    """`HistoryEvent.subject` for whether the bot could read a target's pod."""
    return f"pod:{target}"


class HistoryEvent(NamedTuple):
    """One event of a job, a pod or a source."""

    target: str
    subject: str
    """A job's canonical name, ``pod``, or a source."""
    at: datetime
    what: str
