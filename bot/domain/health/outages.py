"""How often the pod was out for a short time: restarts, evictions, and readiness that comes and goes. Pure.

Each outage by itself is too short to be told, and a new pod has a new uid and restarts of its own: nothing that
the API server counts goes on from one to the next. So the outages themselves are kept, and counted in a window.
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

How = Literal["restarted", "evicted", "failed", "replaced", "not ready"]
MOST = 100
"""Outages that are kept one by one; older ones of the same story are only counted."""
RECORDS = 50
"""Records of pods that are over which are remembered."""


@dataclass(frozen=True)
class Outage:
    """One time that the pod was out."""

    at: datetime
    """When that was seen."""
    how: How


@dataclass(frozen=True)
class Outages:
    """The outages of late, and what the next look is compared with."""

    up: bool = False
    """Whether a pod was ready."""
    pods: tuple[str, ...] = ()
    """The uids of the pods that were alive."""
    newest: datetime | None = None
    """When the newest pod was created."""
    counts: Mapping[str, str] = field(default_factory=dict)
    """By pod and container: its restarts, and when its last run ended."""
    seen: tuple[Outage, ...] = ()
    older: int = 0
    """Outages of this story that are not kept one by one any more."""
    first_at: datetime | None = None
    """When the story began, while there is one: there were so many that it is told."""
    unexplained: bool = False
    """Whether the last outage goes on, and nothing is known of it but that the pod is not ready."""

    @property
    def times(self) -> int:
        """How many belong to the story."""
        return len(self.seen) + self.older

    @property
    def last_at(self) -> datetime | None:
        """When the last one was seen."""
        return self.seen[-1].at if self.seen else None

    def kinds(self) -> Mapping[How, int]:
        """How many of each kind, the most frequent first."""
        return dict(Counter(o.how for o in self.seen).most_common())

    def told(self) -> Outages:
        """Without those so far: something else has told of them, or they were meant to be."""
        return replace(self, seen=(), older=0, first_at=None, unexplained=False)


def seen(before: Outages | None, pods: Sequence[Pod], now: datetime, window: timedelta, most: int) -> Outages:
    """What is known after a look at the pods; an equal one where nothing has changed.

    ``most`` outages within ``window`` are a story, and it ends when there was none for as long.
    """
    after = _compared(before, pods, now) if before is not None else Outages()
    base = replace(
        after,
        up=_up(pods),
        pods=tuple(p.uid for p in judge_pod.live(pods)),
        newest=max((t for t in (after.newest, *(p.created_at for p in pods)) if t), default=None),
        counts=_counts(pods),
        unexplained=after.unexplained and not _up(pods),
    )
    return _story(base, now, window, most)


def _up(pods: Sequence[Pod]) -> bool:
    return any(pod_state.is_ready(p) for p in judge_pod.live(pods))


def _compared(before: Outages, pods: Sequence[Pod], now: datetime) -> Outages:
    """With the outages since the last look. Those that explain one that goes on take its place."""
    found = [*_over(before, pods, now), *_restarts(before, pods, now)]
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
    """One for each pod that has ended as a whole since the last look."""
    records = [p for p in pods if p.over][-RECORDS:]
    new = [p for p in records if p.uid in before.pods or _is_younger(p, before)]
    return [Outage(_over_at(p, now), "evicted" if p.reason == "Evicted" else "failed") for p in new]


def _over_at(pod: Pod, now: datetime) -> datetime:
    return min(now, judge_pod.over_since(pod) or now)


def _is_younger(pod: Pod, before: Outages) -> bool:
    return pod.created_at is not None and before.newest is not None and pod.created_at > before.newest


def _restarts(before: Outages, pods: Sequence[Pod], now: datetime) -> list[Outage]:
    """One for each pod whose containers were restarted: of several restarts only the last one is timed."""
    ends = [[at for c in p.lasting if (at := _restarted(before, p, c, now))] for p in judge_pod.live(pods)]
    return [Outage(max(times), "restarted") for times in ends if times]


def _restarted(before: Outages, pod: Pod, container: Container, now: datetime) -> datetime | None:
    """When the container ended that has been restarted since the last look; None where it was not."""
    last = container.last_termination
    at = min(now, (last.finished_at if last else None) or now)
    known = before.counts.get(_name(pod, container))
    if known is None:
        return at if container.restarts and _is_younger(pod, before) else None
    was, _, ended = known.partition(" ")
    # The kubelet may count anew; then only an end that was not there before tells of a restart.
    return at if container.restarts > int(was) or _ended(container) not in ("", ended) else None


def _counts(pods: Sequence[Pod]) -> dict[str, str]:
    living = judge_pod.live(pods)
    return {_name(p, c): f"{c.restarts} {_ended(c)}" for p in living for c in p.lasting}


def _name(pod: Pod, container: Container) -> str:
    return f"{pod.uid}/{container.name}"


def _ended(container: Container) -> str:
    at = container.last_termination.finished_at if container.last_termination else None
    return at.isoformat() if at else ""


def _story(found: Outages, now: datetime, window: timedelta, most: int) -> Outages:
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
    """As the ledger keeps it."""
    return _adapter().dump_json(outages).decode()


def from_json(text: str) -> Outages | None:
    """From the ledger; None for what :func:`to_json` did not write."""
    try:
        return _adapter().validate_json(text)
    except ValueError:
        return None
