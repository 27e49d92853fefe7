"""What a heartbeat that is pushed by hand consists of. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.domain.core.target import HeartbeatPolicy, canonical_job
from bot.domain.heartbeats.heartbeat import MANUAL, PUSHED, Group


def group_name(job: str, groups: Sequence[Group]) -> str:
    """The job's name as its group spells it.

    For the bot ``-`` and ``_`` are the same; for the Pushgateway they are two groups, one of which would go stale.
    """
    found = {g.job for g in groups if canonical_job(g.job) == canonical_job(job)}
    return job if job in found or not found else min(found)


def gauges(policies: Sequence[HeartbeatPolicy], job: str, now: datetime) -> dict[str, float]:
    """The manual mark, and the gauges that the job's policies read, except the gateway's own."""
    at = now.timestamp()
    own = [h.metric for h in policies if canonical_job(h.job) == canonical_job(job)]
    return {MANUAL: at, **{metric: at for metric in own if metric != PUSHED}}


def known(policies: Sequence[HeartbeatPolicy], job: str) -> bool:
    """Whether any policy is about the job."""
    return any(canonical_job(h.job) == canonical_job(job) for h in policies)


def group_of(labels: Mapping[str, str], groups: Sequence[Group]) -> Group | None:
    """The group with exactly these labels."""
    return next((group for group in groups if dict(group.labels) == dict(labels)), None)


def shows(group: Group | None, at: datetime) -> bool:
    """Whether a group shows the push by hand of that time."""
    return group is not None and abs(group.gauges.get(MANUAL, 0.0) - at.timestamp()) < 0.001
