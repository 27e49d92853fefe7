"""What the watcher keeps in mind of each job, and what is wrong with it now. Pure; ``now`` is an argument.

The Pushgateway forgets: a restart without its file empties it. What was seen of a group is remembered here and
goes on ageing, so that a job whose series has vanished turns stale as any other (HEARTBEATS.md, "Source").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

from pydantic import TypeAdapter

from bot.domain import words
from bot.domain.alerting import Kind, Problem
from bot.domain.heartbeat import PUSH_FAILED, Group, Health, JobStatus, deadlines, status_at
from bot.domain.judge_heartbeats import policy_in_words
from bot.domain.target import HeartbeatPolicy, canonical_job

MOST_GROUPS = 50
"""Groups of one job that are kept in mind: the newest ones."""


@dataclass(frozen=True)
class Memory:
    """One job: its groups as they were last seen, and how it was at the last look."""

    job: str
    """As `canonical_job` has it."""
    watched_since: datetime
    """When the first look at it was: a required job that never came has its first deadline counted from then."""
    groups: tuple[Group, ...] = ()
    health: Health = Health.NEVER_SEEN
    since: datetime | None = None
    """Since when it is in that health."""
    next_at: datetime | None = None
    """When its health changes next if nothing is pushed; None: not by itself."""
    note: str = ""

    def last_success(self, metric: str) -> float:
        """The newest success, in seconds since the epoch; 0 for none."""
        return max((g.gauges.get(metric, 0.0) for g in self.groups), default=0.0)


@dataclass(frozen=True)
class Flip:
    """A job's change of health."""

    job: str
    before: Health
    after: Health
    at: datetime


@dataclass(frozen=True)
class Look:
    """What one look at a job gave."""

    memory: Memory
    status: JobStatus
    flip: Flip | None


def look(policy: HeartbeatPolicy, seen: Sequence[Group], memory: Memory | None, now: datetime) -> Look:
    """One job at ``now``: from what the source holds of it, and from what is remembered."""
    if memory is None:
        memory = Memory(canonical_job(policy.job), now)
    groups = remembered(memory.groups, seen, policy.metric)
    status = status_at(policy, groups, now)
    if status.health is Health.NEVER_SEEN and policy.required:
        status = _never(policy, status, memory, now)
    backwards = _went_back(memory.groups, seen, policy.metric)
    if backwards:
        status = replace(status, note=f"{status.note}; {backwards}" if status.note else backwards)
    note = status.note or ""
    flip = None
    since = memory.since
    if since is None or status.health is not memory.health:
        since = _since(status, now)
        if memory.since is not None and since <= memory.since:
            since = now  # a push that bears an older time than the deadline it missed: it came now
        flip = (
            Flip(memory.job, memory.health, status.health, since) if status.health is not memory.health else None
        )
    after = Memory(memory.job, memory.watched_since, groups, status.health, since, _next(status, now), note)
    return Look(memory if after == memory else after, status, flip)


def unchanged(memory: Memory | None, seen: Sequence[Group], now: datetime) -> bool:
    """Whether a look would give what the last one gave: nothing new was pushed, and no deadline has passed.

    A failed look at odd clocks is never the same.
    """
    if (
        memory is None
        or memory.since is None
        or memory.note
        or (memory.next_at is not None and now >= memory.next_at)
    ):
        return False
    if len(seen) == 1 and len(memory.groups) == 1 and seen[0].labels == memory.groups[0].labels:
        return seen[0].gauges == memory.groups[0].gauges
    known = {_key(g): g.gauges for g in memory.groups}
    return all(known.get(_key(g)) == g.gauges for g in seen)


def remembered(before: Sequence[Group], seen: Sequence[Group], metric: str) -> tuple[Group, ...]:
    """The groups as they are, and those that have vanished as they were; a success never goes backwards."""
    if len(seen) == 1 and len(before) == 1 and seen[0].labels == before[0].labels:  # as it nearly always is
        return (_newer(before[0], seen[0], metric),)
    merged = {_key(g): g for g in before}
    for group in seen:
        old = merged.get(_key(group))
        merged[_key(group)] = group if old is None else _newer(old, group, metric)
    kept = sorted(merged.values(), key=lambda g: -g.gauges.get(metric, 0.0))[:MOST_GROUPS]
    return tuple(sorted(kept, key=_key))


def _newer(old: Group, new: Group, metric: str) -> Group:
    was, now_ = old.gauges.get(metric), new.gauges.get(metric)
    if was is None or (now_ is not None and now_ >= was):
        return new
    failed = new.gauges.get(PUSH_FAILED)
    gauges = {**new.gauges, metric: was}
    return Group(new.labels, gauges if failed is None else {**gauges, PUSH_FAILED: failed})


def _went_back(before: Sequence[Group], seen: Sequence[Group], metric: str) -> str:
    if not before or all(g in before for g in seen):
        return ""
    known = {_key(g): g.gauges.get(metric, 0.0) for g in before}
    back = [g for g in seen if 0 < g.gauges.get(metric, 0.0) < known.get(_key(g), 0.0)]
    if not back:
        return ""
    span = max(known[_key(g)] - g.gauges[metric] for g in back)
    return f"its time went back by {span:.0f} s; the newer one counts"


def _key(group: Group) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in group.labels.items() if value))


def _never(policy: HeartbeatPolicy, status: JobStatus, memory: Memory, now: datetime) -> JobStatus:
    """A required job of which nothing was ever seen has the first deadline after it began to be watched."""
    due, stale_at = deadlines(policy, memory.watched_since)
    health = Health.STALE if now >= stale_at else Health.NEVER_SEEN
    return replace(status, health=health, due=due, stale_at=stale_at)


def _since(status: JobStatus, now: datetime) -> datetime:
    """When the health that is seen now began: the deadline, the push; not the moment of the look."""
    if status.health is Health.STALE and status.stale_at is not None:
        return min(status.stale_at, now)
    if status.health is Health.LATE and status.due is not None:
        return min(status.due, now)
    if status.health is Health.UP and status.last_success is not None:
        return min(status.last_success, now)
    if status.health is Health.FAILED and status.failed_at is not None:
        return min(status.failed_at, now)
    return now


def _next(status: JobStatus, now: datetime) -> datetime | None:
    ahead = [at for at in (status.due, status.stale_at) if at is not None and at > now]
    return min(ahead, default=None) if status.health is not Health.FAILED else None


def key_of(target: str, job: str) -> str:
    """The key of a job's incident."""
    return f"heartbeat:{target}:{canonical_job(job)}"


def problem(target: str, found: Look, now: datetime) -> Problem | None:
    """What is wrong with a job, or None: late is not wrong yet, and one that never came was never there."""
    status = found.status
    policy = status.policy
    if policy is None or status.health not in (Health.STALE, Health.FAILED):
        return None
    return Problem(
        key=key_of(target, policy.job),
        kind=Kind.HEARTBEAT,
        target=target,
        subject=policy.job,
        summary=_summary(status, now),
        severity=policy.severity,
        since=found.memory.since or now,
        facts=tuple(_facts(status)),
        advice=f"logs --grep {policy.job}",
        issue=policy.issue,
    )


def _summary(status: JobStatus, now: datetime) -> str:
    """After the job's name; it does not change while nothing happens, so that nothing is edited for it."""
    if status.health is Health.FAILED:
        return "its last push failed"
    if status.last_success is None:
        return "has never sent a heartbeat"
    return f"no heartbeat since {words.moment(status.last_success, now)}"


def _facts(status: JobStatus) -> list[tuple[str, str]]:
    facts = [("Rule", policy_in_words(status.policy))]
    if status.group:
        facts.append(("Group", status.group))
    if status.note:
        facts.append(("Odd", status.note))
    return facts


@cache
def _memories() -> TypeAdapter[Memory]:
    return TypeAdapter(Memory)


def to_json(memory: Memory) -> str:
    """A memory as the ledger keeps it."""
    return _memories().dump_json(memory).decode()


def from_json(text: str) -> Memory:
    """A memory from the ledger. Raises ValueError for what :func:`to_json` did not write."""
    return _memories().validate_json(text)


def epoch(seconds: float) -> datetime:
    """A gauge's time."""
    return datetime.fromtimestamp(seconds, UTC)
