"""Track the pod's downtimes, and mute the jobs' alerts that they explain. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.core import words
from bot.domain.core.target import HeartbeatPolicy
from bot.domain.core.workload import Pod
from bot.domain.health import judge_pod, pod_state
from bot.domain.heartbeats.heartbeat import deadlines

SLACK_TIME = timedelta(seconds=30)
"""A deadline up to this long before the pod went down is excused too: the last run was in progress."""
BELIEVED = timedelta(minutes=10)
"""How long "not ready when last seen" counts while the pod can't be read. Without a limit, the jobs' alerts could
stay muted for ever."""
MOST = 30
"""Most downtimes that are stored; beyond that, the oldest two are merged."""


@dataclass(frozen=True)
class Downtime:
    """An interval in which the pod was down, which excuses its jobs' missed deadlines."""

    down_since: datetime
    ready_at: datetime | None = None
    """None while it is still down."""

    def __str__(self) -> str:
        """The format in which it is stored."""
        return f"{self.down_since.isoformat()}|{self.ready_at.isoformat() if self.ready_at else ''}"


def to_text(downtimes: Sequence[Downtime]) -> str:
    """Serialize for the ledger."""
    return " ".join(map(str, downtimes))


def from_text(text: str) -> tuple[Downtime, ...]:
    """Deserialize; empty for what `to_text` did not write."""
    try:
        return tuple(_read(part) for part in text.split())
    except ValueError:
        return ()


def _read(text: str) -> Downtime:
    down, _, ready = text.partition("|")
    since, until = words.moment_of(down), words.moment_of(ready)
    if since is None or (ready and until is None):
        raise ValueError("no moment with a time zone")
    return Downtime(since, until)


def ready(pods: Sequence[Pod]) -> bool:
    """Whether the jobs in the pod can run: there is exactly one live pod, and it is ready."""
    alive = judge_pod.live(pods)
    return len(alive) == 1 and pod_state.is_ready(alive[0])


def updated(before: tuple[Downtime, ...], pods: Sequence[Pod], now: datetime) -> tuple[Downtime, ...]:
    """Update the downtimes after a poll of the pods, oldest first; the same object if nothing has changed."""
    last = before[-1] if before else None
    newest = _newest(last, pods, now)
    if newest is None or newest == last:
        return before
    going_on = last is not None and last.down_since == newest.down_since
    return _bounded((*before[:-1], newest) if going_on else (*before, newest))


def _newest(last: Downtime | None, pods: Sequence[Pod], now: datetime) -> Downtime | None:
    if not ready(pods):
        return last if last is not None and last.ready_at is None else Downtime(now)
    if last is None or last.ready_at is not None:
        began = _began(pods)
        known = last.ready_at if last else None
        # The pod was replaced or restarted between two polls, or while the bot was off.
        return Downtime(began, began) if began and (known is None or began > known) else last
    return Downtime(last.down_since, now)


def _began(pods: Sequence[Pod]) -> datetime | None:
    pod = judge_pod.current(pods)
    times = [c.started_at for c in pod.lasting if c.started_at] if pod else []
    return max(times, default=None)


def _bounded(downtimes: tuple[Downtime, ...]) -> tuple[Downtime, ...]:
    if len(downtimes) <= MOST:
        return downtimes
    first, second, *others = downtimes
    return (Downtime(first.down_since, second.ready_at), *others)


def excuse(
    downtimes: Sequence[Downtime],
    policy: HeartbeatPolicy,
    missed: datetime,
    now: datetime,
    unseen: datetime | None = None,
) -> str:
    """Why a downtime excuses a job's missed deadline, in words; empty if none does.

    If the pod goes down again before the job has had a full period, the excuse continues, whichever downtime the
    deadline fell in. A job that was overdue before the downtime is not excused. ``unseen``: since when the pod
    can't be read.
    """
    last: Downtime | None = None
    for downtime in downtimes:
        goes_on = last is not None and downtime.down_since < _until(last, policy, unseen)
        last = downtime if goes_on or missed >= downtime.down_since - SLACK_TIME else None
    if last is None or now >= (until := _until(last, policy, unseen)):
        return ""
    if last.ready_at is not None:
        back = words.moment(last.ready_at)
        return f"the pod was down until {back}, and the job has until {words.moment(until)} to be back"
    if unseen is None:
        return "the pod is not ready"
    return f"the pod was not ready when it was last seen; that counts until {words.moment(until)}"


def _until(downtime: Downtime, policy: HeartbeatPolicy, unseen: datetime | None) -> datetime:
    """When the excuse ends: one period of the job after the pod was ready."""
    if downtime.ready_at is not None:
        return deadlines(policy, downtime.ready_at)[1]
    if unseen is None:
        return datetime.max.replace(tzinfo=downtime.down_since.tzinfo)
    return max(deadlines(policy, unseen)[1], unseen + BELIEVED)
