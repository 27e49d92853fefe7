"""Heartbeats: the last success of a cron job, and the rule that says when it is due and when stale.

Semantics: HEARTBEATS.md, "Source", "Policy" and "States". Boundaries are ``>=``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from bot.domain.target import HeartbeatPolicy


class Health(Enum):
    """A job's state by its own heartbeats."""

    NEVER_SEEN = "never seen"
    UP = "up"
    LATE = "late"
    STALE = "stale"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Group:
    """One Pushgateway group: its grouping key (``job`` in it) and the gauges that policies ask for.

    ``gauges`` maps a metric's name to its value in seconds since the epoch; absent metrics are absent.
    """

    labels: Mapping[str, str]
    gauges: Mapping[str, float]

    @property
    def job(self) -> str:
        """The grouping key's ``job``, as pushed."""
        return self.labels.get("job", "")


@dataclass(frozen=True)
class Snapshot:
    """What one poll of the source saw."""

    groups: Sequence[Group]


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What is known of one job at ``now``. ``policy`` is None for a job that no policy names."""

    job: str
    health: Health
    last_success: datetime | None
    due: datetime | None
    stale_at: datetime | None
    policy: HeartbeatPolicy | None
    group: str = ""
    """The grouping key beyond ``job``, such as ``context=desk``; empty when there is none."""
    note: str | None = None
    """Anything odd, in words: clock skew, a failed push, a value that is no time."""
