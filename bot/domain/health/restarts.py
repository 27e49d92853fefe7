"""Count recent restarts of the pod's containers, from the API server's count and the last termination. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain.core.stored import Stored, Unreadable
from bot.domain.core.workload import Container, Pod
from bot.domain.health import judge_pod
from bot.domain.health.judge_pod import Explained

APART = timedelta(hours=1)
"""Restarts that are further apart belong to different series."""
OUT_OF_MEMORY = "OOMKilled"


@dataclass(frozen=True)
class Restarts:
    """A series of restarts of one pod's containers, and the counts it was computed from."""

    pod: str = ""
    """The pod's uid; another pod starts a new series."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """The API server's restart count by container."""
    times: int = 0
    kills: int = 0
    """Number of those that were OOM-killed."""
    first_at: datetime | None = None
    last_at: datetime | None = None

    def cleared(self) -> Restarts:
        """Clear the series: another incident has reported its restarts."""
        return replace(self, times=0, kills=0, first_at=None, last_at=None) if self.times else self


def unexplained(pod: Pod, container: Container, was: int, explained: Explained) -> int:
    """How often the container was restarted since its count was ``was``, without those that were approved."""
    return container.restarts - was - approved(pod.uid, container.name, was, container.restarts, explained)


def approved(uid: str, container: str, was: int, now: int, explained: Explained) -> int:
    """How many of a container's restarts were approved, after its count was ``was`` and until it is ``now``."""
    return sum(was < one <= now for pod, name, one in explained if (pod, name) == (uid, container))


def updated(before: Restarts | None, pods: Sequence[Pod], now: datetime, explained: Explained = ()) -> Restarts:
    """Update the series after a poll of the pods; the result is equal to ``before`` where nothing changed."""
    pod = judge_pod.current(pods)
    if pod is None:
        return before or Restarts()
    if before is None or before.pod != pod.uid:
        before = Restarts(pod.uid, _known_before(pod, now))
    for container in pod.lasting:
        before = _counted(before, pod, container, now, explained)
    return before


def _known_before(pod: Pod, now: datetime) -> dict[str, int]:
    """Initial counts for a pod seen for the first time; an old pod's latest restart is left to count if recent."""
    if pod.created_at is not None and now - pod.created_at < APART:
        return {}
    return {c.name: c.restarts - _recent(c, now) for c in pod.lasting}


def _recent(container: Container, now: datetime) -> bool:
    ended = container.last_termination
    return bool(container.restarts and ended and ended.finished_at and now - ended.finished_at < APART)


def _counted(known: Restarts, pod: Pod, container: Container, now: datetime, explained: Explained) -> Restarts:
    was = known.counts.get(container.name, 0)
    ended = container.last_termination
    at = (ended.finished_at if ended else None) or now
    more = unexplained(pod, container, was, explained)
    if container.restarts < was:
        # The kubelet has reset its count: only a newer termination shows a restart.
        more = int(known.last_at is not None and at > known.last_at)
    if container.restarts != was:
        known = replace(known, counts={**known.counts, container.name: container.restarts})
    if more <= 0:
        return known
    if known.last_at is None or at - known.last_at > APART:
        known = replace(known, times=0, kills=0, first_at=at)
    return replace(
        known,
        times=known.times + more,
        kills=known.kills + (ended is not None and ended.reason == OUT_OF_MEMORY),
        last_at=max(known.last_at or at, at),
    )


KEPT = Stored(Restarts)


def to_json(restarts: Restarts) -> str:
    """Serialize for the ledger."""
    return KEPT.dump(restarts)


def from_json(text: str) -> Restarts | None:
    """Deserialize; None for what `to_json` did not write."""
    try:
        return KEPT.load(text)
    except Unreadable:
        return None
