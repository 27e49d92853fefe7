"""How often the pod's containers were restarted of late: the API server has a count and the last end. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain.core.stored import Stored, Unreadable
from bot.domain.core.workload import Container, Pod
from bot.domain.health import judge_pod

APART = timedelta(hours=1)
"""Restarts that are further apart have nothing to do with each other."""
OUT_OF_MEMORY = "OOMKilled"


@dataclass(frozen=True)
class Restarts:
    """Restarts of one pod's containers that came one after the other."""

    pod: str = ""
    """Its uid: another pod begins anew."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """By container, as the API server counts them."""
    times: int = 0
    kills: int = 0
    """Of them for memory."""
    first_at: datetime | None = None
    last_at: datetime | None = None

    def told(self) -> Restarts:
        """Without those so far: something else has told of them."""
        return replace(self, times=0, kills=0, first_at=None, last_at=None) if self.times else self


def seen(before: Restarts | None, pods: Sequence[Pod], now: datetime) -> Restarts:
    """What is known after a look at the pods; an equal one where nothing has changed."""
    pod = judge_pod.current(pods)
    if pod is None:
        return before or Restarts()
    if before is None or before.pod != pod.uid:
        before = Restarts(pod.uid, _known_before(pod, now))
    for container in pod.lasting:
        before = _counted(before, container, now)
    return before


def _known_before(pod: Pod, now: datetime) -> dict[str, int]:
    """The counts that a pod seen for the first time is taken to have had: an old one's last may be recent."""
    if pod.created_at is not None and now - pod.created_at < APART:
        return {}
    return {c.name: c.restarts - _recent(c, now) for c in pod.lasting}


def _recent(container: Container, now: datetime) -> bool:
    ended = container.last_termination
    return bool(container.restarts and ended and ended.finished_at and now - ended.finished_at < APART)


def _counted(known: Restarts, container: Container, now: datetime) -> Restarts:
    was = known.counts.get(container.name, 0)
    ended = container.last_termination
    at = (ended.finished_at if ended else None) or now
    more = container.restarts - was
    if more < 0:
        # The kubelet counts anew: only an end that is newer than those known tells of a restart.
        more = int(known.last_at is not None and at > known.last_at)
        known = replace(known, counts={**known.counts, container.name: container.restarts})
    if more <= 0:
        return known
    if known.last_at is None or at - known.last_at > APART:
        known = replace(known, times=0, kills=0, first_at=at)
    return replace(
        known,
        counts={**known.counts, container.name: container.restarts},
        times=known.times + more,
        kills=known.kills + (ended is not None and ended.reason == OUT_OF_MEMORY),
        last_at=max(known.last_at or at, at),
    )


KEPT = Stored(Restarts)


def to_json(restarts: Restarts) -> str:
    """As the ledger keeps it."""
    return KEPT.dump(restarts)


def from_json(text: str) -> Restarts | None:
    """From the ledger; None for what :func:`to_json` did not write."""
    try:
        return KEPT.load(text)
    except Unreadable:
        return None
