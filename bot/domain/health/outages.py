"""Count short outages of the pod in a window: restarts, evictions, and flapping readiness. Pure.

Each outage is too short for an incident of its own, and no counter of the API server continues from one pod to the
next: a new pod has a new uid and its own restart count. So the outages themselves are stored and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Literal

from pydantic import TypeAdapter

from bot.domain.core.workload import Container, Pod
from bot.domain.health import judge_pod, pod_state
from bot.domain.health.judge_pod import Explained
from bot.domain.health.restarts import unexplained

How = Literal["restarted", "evicted", "failed", "replaced", "not ready"]
MOST = 100
"""Outages that are stored one by one; older ones of the same series are only counted."""
RECORDS = 50
"""Pods that are over which are examined, the newest."""


@dataclass(frozen=True)
class Outage:
    """One short outage of the pod."""

    at: datetime
    """When it was detected, or when it happened where the API server says so."""
    how: How


@dataclass(frozen=True)
class Outages:
    """The recent outages, and the state that the next poll is compared with."""

    up: bool = False
    """Whether a pod was ready."""
    pods: tuple[str, ...] = ()
    """The uids of the pods that were alive."""
    newest: datetime | None = None
    """When the newest pod was created."""
    counts: Mapping[str, str] = field(default_factory=dict)
    """Restart count and time of the last termination, by pod uid and container."""
    seen: tuple[Outage, ...] = ()
    older: int = 0
    """Number of outages of this series that are no longer stored one by one."""
    first_at: datetime | None = None
    """Start of the current series; None while there were too few outages for one."""
    unexplained: bool = False
    """Whether the last outage continues, and its only known cause is that the pod is not ready."""

    @property
    def times(self) -> int:
        """Number of outages in the series."""
        return len(self.seen) + self.older

    @property
    def last_at(self) -> datetime | None:
        """Time of the last outage."""
        return self.seen[-1].at if self.seen else None

    def kinds(self) -> Mapping[How, int]:
        """Number of outages by kind, most frequent first."""
        return dict(Counter(o.how for o in self.seen).most_common())

    def cleared(self) -> Outages:
        """Clear the outages so far: another incident has reported them, or they were planned."""
        return replace(self, seen=(), older=0, first_at=None, unexplained=False)


def updated(
    before: Outages | None,
    pods: Sequence[Pod],
    now: datetime,
    window: timedelta,
    most: int,
    explained: Explained = (),
) -> Outages:
    """Update the state after a poll of the pods; the result is equal to ``before`` where nothing changed.

    ``most`` outages within ``window`` begin a series, which ends after a ``window`` without an outage.
    """
    after = _compared(before, pods, now, explained) if before is not None else Outages()
    base = replace(
        after,
        up=_up(pods),
        pods=tuple(p.uid for p in judge_pod.live(pods)),
        newest=max((t for t in (after.newest, *(p.created_at for p in pods)) if t), default=None),
        counts=_counts(pods),
        unexplained=after.unexplained and not _up(pods),
    )
    return _series(base, now, window, most)


def _up(pods: Sequence[Pod]) -> bool:
    return any(pod_state.is_ready(p) for p in judge_pod.live(pods))


def _compared(before: Outages, pods: Sequence[Pod], now: datetime, explained: Explained) -> Outages:
    """Add the outages since the last poll. They replace an unexplained "not ready" that they explain."""
    found = [*_over(before, pods, now), *_restarts(before, pods, now, explained)]
    alive = {p.uid for p in judge_pod.live(pods)}
    gone = bool(before.pods) and bool(alive) and not alive & set(before.pods)
    dropped = before.up and not _up(pods)
    if not found and gone and (before.up or before.unexplained):
        found = [Outage(now, "replaced")]
    if not found:
        outage = (Outage(now, "not ready"),) if dropped else ()
        return replace(before, seen=(*before.seen, *outage), unexplained=before.unexplained or dropped)
    kept = before.seen[:-1] if before.unexplained else before.seen
    return replace(before, seen=tuple(sorted((*kept, *found), key=lambda o: o.at)), unexplained=False)


def _over(before: Outages, pods: Sequence[Pod], now: datetime) -> list[Outage]:
    """One outage for each pod that was evicted or failed since the last poll."""
    records = [p for p in pods if p.over][-RECORDS:]
    new = [p for p in records if p.uid in before.pods or _is_younger(p, before)]
    return [Outage(_over_at(p, now), "evicted" if p.reason == "Evicted" else "failed") for p in new]


def _over_at(pod: Pod, now: datetime) -> datetime:
    return min(now, judge_pod.over_since(pod) or now)


def _is_younger(pod: Pod, before: Outages) -> bool:
    return pod.created_at is not None and before.newest is not None and pod.created_at > before.newest


def _restarts(before: Outages, pods: Sequence[Pod], now: datetime, explained: Explained) -> list[Outage]:
    """One outage for each pod with restarted containers, at the time of the last restart."""
    ends = [
        [at for c in p.lasting if (at := _restarted(before, p, c, now, explained))] for p in judge_pod.live(pods)
    ]
    return [Outage(max(times), "restarted") for times in ends if times]


def _restarted(
    before: Outages, pod: Pod, container: Container, now: datetime, explained: Explained
) -> datetime | None:
    """When a container terminated that was restarted since the last poll; None where it wasn't restarted."""
    last = container.last_termination
    at = min(now, (last.finished_at if last else None) or now)
    known = before.counts.get(_name(pod, container))
    if known is None:
        return at if unexplained(pod, container, 0, explained) and _is_younger(pod, before) else None
    was, _, ended = known.partition(" ")
    if container.restarts > int(was) and not unexplained(pod, container, int(was), explained):
        return None
    # The kubelet may reset its count; then only a new termination shows a restart.
    return at if container.restarts > int(was) or _ended(container) not in ("", ended) else None


def _counts(pods: Sequence[Pod]) -> dict[str, str]:
    living = judge_pod.live(pods)
    return {_name(p, c): f"{c.restarts} {_ended(c)}" for p in living for c in p.lasting}


def _name(pod: Pod, container: Container) -> str:
    return f"{pod.uid}/{container.name}"


def _ended(container: Container) -> str:
    at = container.last_termination.finished_at if container.last_termination else None
    return at.isoformat() if at else ""


def _series(found: Outages, now: datetime, window: timedelta, most: int) -> Outages:
    last = found.last_at
    if last is None or now - last >= window:
        return replace(found, seen=(), older=0, first_at=None)
    if found.first_at is not None:
        surplus = max(0, len(found.seen) - MOST)
        return replace(found, seen=found.seen[surplus:], older=found.older + surplus)
    recent = tuple(o for o in found.seen if now - o.at < window)[-MOST:]
    return replace(found, seen=recent, first_at=recent[0].at if len(recent) >= most else None)


@cache
def _adapter() -> TypeAdapter[Outages]:
    return TypeAdapter(Outages)


def to_json(outages: Outages) -> str:
    """Serialize for the ledger."""
    return _adapter().dump_json(outages).decode()


def from_json(text: str) -> Outages | None:
    """Deserialize; None for what `to_json` did not write."""
    try:
        return _adapter().validate_json(text)
    except ValueError:
        return None
