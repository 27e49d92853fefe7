"""What happened when: the digest's raw material, kept for some days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

BEAT = "beat"
"""A job's heartbeat came. Others are a job's `heartbeat.Health`, and words for the pod and the source."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to a job, the pod or the source."""

    target: str
    subject: str
    """A job's canonical name, ``pod`` or ``source``."""
    at: datetime
    what: str
