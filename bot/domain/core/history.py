"""What happened when: the digest's raw material, kept for some days."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

BEAT = "beat"
"""A job's heartbeat came. Others are a job's `heartbeat.Health`, and words for the pod and the source."""

SOURCE = "source"
"""The subject of what happened to the source of heartbeats; like every source it is of no target."""


def pod_source(target: str) -> str:
    """The subject of what happened to the bot's sight of a target's pod."""
    return f"pod:{target}"


class HistoryEvent(NamedTuple):
    """One thing that happened to a job, the pod or the source."""

    target: str
    subject: str
    """A job's canonical name, ``pod``, or a source."""
    at: datetime
    what: str
