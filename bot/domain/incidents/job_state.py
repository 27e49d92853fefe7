"""Remember each job between polls, and derive its problem. Pure; ``now`` is an argument.

The Pushgateway loses its data when it restarts without its file. So each job's last heartbeats are remembered and
keep ageing: a job whose series has vanished becomes stale like any other (docs/alerts.md, "When a job is late, and
when stale"). Where all have vanished, nothing is known of any job.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from bot.domain.core import words
from bot.domain.core.frozen import make
from bot.domain.core.stored import Stored
from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.heartbeats import heartbeat
from bot.domain.heartbeats.heartbeat import (
    FAILED_NOTE,
    MANUAL,
    PUSH_FAILED,
    PUSHED,
    Group,
    Health,
    HeartbeatPoll,
    JobStatus,
    credible,
    deadlines,
    health_by,
    joined,
    status_at,
)
from bot.domain.heartbeats.judge_heartbeats import NOT_SECONDS
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.problem import OVERDUE, Problem
from bot.domain.incidents.sources.heartbeat import DEFECT, FAILED, HEARTBEAT

REFUSED = "It ran, and the Pushgateway refused what it pushed: the job's log says why."
SILENT_INSIDE = "Diagnose looks for the cause. If the job hangs, ask for a restart."
SILENT = "Check the job where it runs."
BY_HAND = "a heartbeat was pushed by hand; the job has sent none since"
WRONG = (Health.STALE, Health.FAILED)
"""Values of `Health` that are a problem."""
MOST_GROUPS = 50
"""Most groups of one job that are remembered, the newest."""


@dataclass(frozen=True)
class JobState:
    """What is remembered of one job: its groups with corrected times, and its health at the last poll."""

    job: str
    """The canonical name (`canonical_job`)."""
    watched_since: datetime
    """When the job was first polled; the first deadline of a required job counts from then."""
    groups: tuple[Group, ...] = ()
    """All times in it are credible, and none was in the future when it was seen."""
    health: Health = Health.NEVER_SEEN
    since: datetime | None = None
    """Since when it has that health."""
    next_at: datetime | None = None
    """When its health changes next without a push; None: it doesn't."""
    note: str = ""
    rule: str = ""
    """The fingerprint of the policy by which this was judged."""
    resumed: datetime | None = None
    """When its pause ended; the next heartbeat is due one period later."""
    gateway: datetime | None = None
    """When the Pushgateway had started that was last seen to hold its heartbeats; None where that is not known."""


@dataclass(frozen=True, slots=True)
class WatchedJob:
    """One job of a target with its keys, which are computed once, since every poll needs them for every job."""

    policy: HeartbeatPolicy
    job: str
    """The canonical name (`canonical_job`)."""
    memory: str
    """The key of its `JobState` in the ledger."""
    incident: str
    """The key of its incident."""


class Flip(NamedTuple):
    """A job's change of health."""

    job: str
    before: Health
    after: Health
    at: datetime


class JobEvaluation(NamedTuple):
    """The result of one poll of a job."""

    memory: JobState
    status: JobStatus
    flip: Flip | None
    beat: datetime | None = None
    """The time of the newest success, if it is new."""


def look(
    policy: HeartbeatPolicy,
    seen: Sequence[Group],
    memory: JobState | None,
    now: datetime,
    started: datetime | None = None,
) -> JobEvaluation:
    """Judge one job from the groups seen in this poll and from its memory.

    ``started`` is when the Pushgateway started, if known.
    """
    memory = memory or JobState(policy.canonical, now)
    if memory.health is Health.PAUSED and not policy.paused:
        memory = replace(memory, resumed=now)
    if memory.rule != policy.fingerprint and _by_another_gauge(memory.groups, seen, policy.metric):
        memory = replace(memory, resumed=now)
    clock = now.timestamp()
    groups = remembered(memory.groups, seen, policy.metric, clock)
    status = _with_first_deadline(policy, status_at(policy, groups, now), memory, now)
    lost = _lost(status.last_success, memory, started) if groups and not seen else ""
    odd = "" if groups is memory.groups else _odd(groups, seen, policy.metric, clock)
    note = status.note
    without_success = _pushed_without_success(status, seen) if status.failed_at is not None else ""
    if lost or odd or without_success:
        note = joined(note, lost, odd, without_success)
        status = status._replace(note=note, remembered=bool(lost))
    flip, since = _flip(status, memory, now)
    after = make(
        JobState,
        job=memory.job,
        watched_since=memory.watched_since,
        groups=groups,
        health=status.health,
        since=since,
        next_at=_next(status, now),
        note=note or "",
        rule=policy.fingerprint,
        resumed=memory.resumed,
        gateway=(started if seen else None) or memory.gateway,
    )
    beat = None if groups is memory.groups else _beat(memory.groups, groups, policy.metric)
    return JobEvaluation(memory if flip is None and after == memory else after, status, flip, beat)


def judge(
    target: str,
    policies: Sequence[HeartbeatPolicy],
    snapshot: HeartbeatPoll,
    job_states: Mapping[str, JobState],
    now: datetime,
) -> list[JobStatus]:
    """Like `heartbeat.judge`, but using the memory of jobs. ``job_states`` are those of the ledger."""

    def status_of(policy: HeartbeatPolicy, seen: Sequence[Group], now: datetime) -> JobStatus:
        memory = job_states.get(f"{target}/{policy.canonical}")
        if emptied and not policy.paused:
            return _unknown(policy, memory, snapshot.started)
        return look(policy, seen, memory, now, snapshot.started).status if memory else status_at(policy, seen, now)

    emptied = has_lost_all(snapshot, [job_states.get(f"{target}/{policy.canonical}") for policy in policies])
    return heartbeat.judge(policies, snapshot, now, status_of)


def last_known(
    target: str, policies: Sequence[HeartbeatPolicy], job_states: Mapping[str, JobState], polled: datetime | None
) -> list[JobStatus]:
    """The jobs where the Pushgateway can't be read: only their last success is known, as of the last poll.

    Empty where none is remembered.
    """
    note = f"as of {words.moment(polled)}, when the Pushgateway last answered" if polled else "as last recorded"
    known = [_with_last_success(p, job_states.get(f"{target}/{p.canonical}"), note) for p in policies]
    return known if any(status.last_success for status in known) else []


def has_lost_all(snapshot: HeartbeatPoll, job_states: Iterable[JobState | None]) -> bool:
    """Whether the Pushgateway holds nothing any more, so that it says nothing of any job."""
    return not snapshot.groups and any(state is not None and state.groups for state in job_states)


def _unknown(policy: HeartbeatPolicy, memory: JobState | None, started: datetime | None) -> JobStatus:
    """A job's status where the Pushgateway has lost all: only its last success is known."""
    status = _with_last_success(policy, memory)
    return status._replace(note=_lost(status.last_success, memory, started))


def _with_last_success(policy: HeartbeatPolicy, memory: JobState | None, note: str = "") -> JobStatus:
    newest = max((g.gauges.get(policy.metric, 0.0) for g in memory.groups), default=0.0) if memory else 0.0
    last = datetime.fromtimestamp(newest, UTC) if newest else None
    health = Health.PAUSED if policy.paused else Health.UNKNOWN
    return JobStatus(policy.job, health, last, None, None, policy, note=note or None)


def _by_another_gauge(known: Sequence[Group], seen: Sequence[Group], metric: str) -> bool:
    """Whether the policy names a new gauge that has no data yet; the job then gets one period to push it."""
    if any(metric in group.gauges for group in (*known, *seen)):
        return False
    return any(group.gauges.keys() - {PUSH_FAILED, MANUAL} for group in known)


def _pushed_without_success(status: JobStatus, seen: Sequence[Group]) -> str:
    """A note where the job has pushed since the failed push, but without a success; else empty."""
    failed = status.failed_at.timestamp() if status.failed_at is not None else 0.0
    again = max((group.gauges.get(PUSHED, 0.0) for group in seen), default=0.0)
    return (
        f"it has pushed since, without a success in {status.policy.metric}"
        if status.policy and again > failed
        else ""
    )


def _flip(status: JobStatus, memory: JobState, now: datetime) -> tuple[Flip | None, datetime]:
    """The change of health, or None, and since when the job has the present one."""
    if memory.since is not None and status.health is memory.health:
        return None, memory.since
    since = _since(status, now)
    if memory.since is not None and since <= memory.since:
        since = now  # a late push with a time before the deadline it missed: it arrived now
    changed = status.health is not memory.health
    return Flip(memory.job, memory.health, status.health, since) if changed else None, since


def _beat(before: Sequence[Group], after: Sequence[Group], metric: str) -> datetime | None:
    """The newest success, if it is newer than those before; else None."""
    known, newest = (max((g.gauges.get(metric, 0.0) for g in gs), default=0.0) for gs in (before, after))
    return datetime.fromtimestamp(newest, UTC) if newest > known else None


def unchanged(
    policy: HeartbeatPolicy,
    memory: JobState | None,
    seen: Sequence[Group],
    now: datetime,
    started: datetime | None = None,
) -> bool:
    """Whether `look` would give the same result as last time: same policy, no new push, no deadline passed.

    Nor has the Pushgateway, which ``started`` then, been restarted.

    Jobs with a note are always evaluated, and so are bad ones, whose incident may have been lost.
    """
    if (
        memory is None
        or memory.health in WRONG
        or memory.since is None
        or memory.note
        or memory.rule != policy.fingerprint
        or (memory.next_at is not None and now >= memory.next_at)
        or (seen and started is not None and memory.gateway != started)
    ):
        return False
    if _is_same_group(memory.groups, seen):
        return _same(memory.groups[0], seen[0], policy.metric)
    if bool(seen) != bool(memory.groups):
        return False
    known = {_key(g): g for g in memory.groups}
    return all(_same(known.get(_key(g)), g, policy.metric) for g in seen)


def _is_same_group(known: Sequence[Group], seen: Sequence[Group]) -> bool:
    if len(seen) != 1 or len(known) != 1:
        return False
    return seen[0] is known[0] or seen[0].labels == known[0].labels


def _same(known: Group | None, seen: Group, metric: str) -> bool:
    if known is None:
        return False
    if known is seen or (known.gauges == seen.gauges and not known.odd):
        return True
    was = {**known.gauges, **known.odd}.get if known.odd else known.gauges.get
    now = seen.gauges.get
    return was(metric) == now(metric) and was(PUSH_FAILED) == now(PUSH_FAILED) and was(MANUAL) == now(MANUAL)


def remembered(before: tuple[Group, ...], seen: Sequence[Group], metric: str, clock: float) -> tuple[Group, ...]:
    """Merge the groups seen now, with corrected times, into those remembered. ``clock`` is now."""
    if _is_same_group(before, seen):  # the usual case
        if _counts(before[0], seen[0], metric, clock):
            return before
        return (_counted(before[0], seen[0], metric, clock),)
    merged = {_key(g): g for g in before}
    for group in seen:
        key = _key(group)
        merged[key] = _counted(merged.get(key), group, metric, clock)
    keys = sorted(merged)
    if len(keys) > MOST_GROUPS:
        keys = sorted(sorted(keys, key=lambda k: -merged[k].gauges.get(metric, 0.0))[:MOST_GROUPS])
    return tuple([merged[key] for key in keys])


def _counts(known: Group, seen: Group, metric: str, clock: float) -> bool:
    """Whether the group is unchanged, and its times need no correction."""
    if max(seen.gauges.values(), default=0.0) > clock:
        return False
    if known is seen:
        return True
    return known.gauges == seen.gauges and not known.odd and seen.gauges.keys() <= {metric, PUSH_FAILED, MANUAL}


def _counted(old: Group | None, new: Group, metric: str, clock: float) -> Group:
    """Correct the times of a group, using its state at the last poll.

    - Times that are not credible are ignored, and the success never goes backwards. - A time in the future counts
    as of when it was first seen, else it would hide an outage for as long as the clock was wrong. If both times
    are in the future, they are shifted by the same amount, so that their order stays. - A success older than the
    known one, but newer than the last pushed value, comes from a clock that is behind: it counts as of now.
    """
    times = {n: credible(new.gauges[n], clock)[0] or 0.0 for n in (metric, PUSH_FAILED) if n in new.gauges}
    shift = max(0.0, *times.values(), clock) - clock
    before = (old.odd if old is not None else None) or {}
    gauges, odd = {}, {}
    for name, value in times.items():
        gauges[name] = value
        if old is not None and before.get(name) == value:
            gauges[name], odd[name] = old.gauges[name], value
        elif value > clock:
            gauges[name], odd[name] = value - shift, value
    _keep_failure(old, gauges, odd)
    was = credible(old.gauges.get(metric), clock)[0] if old is not None else None
    if was is not None and was > (behind := gauges.get(metric, 0.0)):
        gauges[metric] = clock if 0 < before.get(metric, 0.0) < behind else was
        odd |= {metric: behind} if behind else {}
    if credible(new.gauges.get(MANUAL), clock)[0] is not None:
        gauges[MANUAL] = new.gauges[MANUAL]
    return Group(new.labels, gauges, odd) if odd or gauges != new.gauges else new


def _keep_failure(old: Group | None, gauges: dict[str, float], odd: dict[str, float]) -> None:
    """Keep a known failure if the group was re-created without it: only a newer success ends it."""
    failed = old.gauges.get(PUSH_FAILED, 0.0) if old is not None else 0.0
    if failed > (seen := gauges.get(PUSH_FAILED, 0.0)):
        gauges[PUSH_FAILED] = failed
        odd |= {PUSH_FAILED: seen}


def _odd(groups: Sequence[Group], seen: Sequence[Group], metric: str, clock: float) -> str:
    """A note on raw times that differ from the corrected ones; else empty."""
    if _is_same_group(groups, seen):
        return _oddity(groups[0].gauges.get(metric, 0.0), seen[0].gauges.get(metric), clock)
    known = {_key(g): g.gauges.get(metric, 0.0) for g in groups}
    return max((_oddity(known.get(_key(g), 0.0), g.gauges.get(metric), clock) for g in seen), default="")


def _lost(last: datetime | None, memory: JobState | None, started: datetime | None) -> str:
    """A note that its heartbeat is gone; by a restart only where it was seen before the Pushgateway started."""
    seen = (memory.gateway if memory is not None else None) or last
    if started is None or (seen is not None and started <= seen):
        return "the Pushgateway has lost its heartbeat"
    return f"the Pushgateway restarted at {words.moment(started)} and lost its heartbeat"


def _oddity(counts: float, value: float | None, clock: float) -> str:
    at, note = credible(value, clock)
    if at is None:
        return f"{note}; the last credible one counts" if note and counts else note or ""
    if at > clock:
        if counts > clock:  # remembered by a clock ahead of this one: the job's own note says so
            return ""
        return f"clock skew: its time was {_apart(at, counts)} in the future"
    return f"its time went back by {_apart(counts, at)}; the newer one counts" if at < counts else ""


def _apart(later: float, earlier: float) -> str:
    return words.age(timedelta(seconds=round(later - earlier)))


def _key(group: Group) -> tuple[tuple[str, str], ...]:
    return _key_of(tuple(group.labels.items()))


@lru_cache(maxsize=2**14)
def _key_of(labels: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in labels if value))


def _with_first_deadline(policy: HeartbeatPolicy, status: JobStatus, memory: JobState, now: datetime) -> JobStatus:
    """Apply the first deadline of a required job without heartbeats, and the grace of a resumed one.

    The first deadline counts from when the job was first watched, or was resumed. A resumed job has one period
    from then, however old its last success is.
    """
    start = memory.resumed or memory.watched_since
    if status.health is Health.NEVER_SEEN and policy.required:
        due, stale_at = deadlines(policy, start)
        health = Health.STALE if now >= stale_at else Health.NEVER_SEEN
    elif memory.resumed is not None and status.health in (Health.LATE, Health.STALE):
        due, stale_at = deadlines(policy, max(start, status.last_success or start))
        health = health_by(due, stale_at, now)
    else:
        return status
    return status._replace(health=health, due=due, stale_at=stale_at)


def _since(status: JobStatus, now: datetime) -> datetime:
    """When the present health began: the time of the deadline or the push, not of the poll."""
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
    if status.health is Health.FAILED:
        return None
    if status.due is not None and status.due > now:
        return status.due
    return status.stale_at if status.stale_at is not None and status.stale_at > now else None


def watched(target: Target) -> tuple[WatchedJob, ...]:
    """The jobs of a target, in the order of the settings."""
    name = target.name
    return tuple(
        WatchedJob(h, h.canonical, f"{name}/{h.canonical}", HEARTBEAT.key(name, h.canonical))
        for h in target.heartbeats
    )


def defect(target: str, policy: HeartbeatPolicy, error: Exception, now: datetime) -> Problem:
    """The problem where judging a job raised an error: nothing is known of it, which is not healthy."""
    return Problem(
        key=HEARTBEAT.key(target, policy.job),
        kind=HEARTBEAT.stored,
        target=target,
        subject=policy.job,
        summary=f"{DEFECT} ({type(error).__name__}), so it is not watched",
        severity=policy.severity,
        since=now,
        facts=(("Rule", policy.rule), ("What to do", "See the bot's log, and report the defect.")),
        advice=HEARTBEAT.diagnosis,
        issue=policy.issue,
        restart=False,
    )


def problem(target: str, key: str, found: JobEvaluation, now: datetime) -> Problem | None:
    """A job's problem with its ``key``; None where it is up, only late, or never seen."""
    status = found.status
    policy = status.policy
    if policy is None or status.health not in WRONG:
        return None
    failed = status.health is Health.FAILED
    return make(
        Problem,
        key=key,
        kind=HEARTBEAT.stored,
        target=target,
        subject=policy.job,
        summary=_summary(status),
        severity=policy.severity,
        since=found.memory.since or now,
        facts=_facts(policy, status, failed),
        advice=f"logs --grep {policy.job}" if policy.inside else HEARTBEAT.diagnosis,
        issue=policy.issue,
        restart=policy.inside,
        counted_from="Since" if failed else OVERDUE,
        success=status.last_success,
    )


def unproven(incident: Incident, metric: str, memory: JobState) -> str:
    """Why a problem that is gone is no recovery: the job has sent no newer success. Empty where it has."""
    group = max(memory.groups, key=lambda group: group.gauges.get(metric, 0.0), default=None)
    newest = group.gauges.get(metric, 0.0) if group is not None else 0.0
    before = incident.problem.success
    if not incident.there:
        return ""
    if newest <= (before.timestamp() if before is not None else 0.0):
        return "by the settings it is not overdue now; no heartbeat has come"
    return BY_HAND if group is not None and heartbeat.is_by_hand(group, newest) else ""


def _summary(status: JobStatus) -> str:
    """The summary, which stays the same while nothing happens, so that messages need no edit."""
    if status.health is Health.FAILED:
        return FAILED
    if status.last_success is None:
        return "pushes a value that is no time" if status.pushes_no_time else "has never sent a heartbeat"
    return f"no heartbeat since {words.moment(status.last_success)}"


def _silent(policy: HeartbeatPolicy) -> str:
    """What to do about a job of which nothing has arrived for too long."""
    return f"{SILENT_INSIDE if policy.inside else SILENT} If it ran, `/agentpod heartbeats` says more."


def _facts(policy: HeartbeatPolicy, status: JobStatus, failed: bool) -> tuple[tuple[str, str], ...]:
    rule = ("Rule", policy.rule)
    what_to_do = ("What to do", REFUSED if failed else NOT_SECONDS if status.pushes_no_time else _silent(policy))
    if not (failed or status.group or status.note):
        return (rule, what_to_do)
    last = [("Last success", words.moment(status.last_success))] if status.last_success else []
    facts = last if failed else [rule]  # whether it is stale doesn't matter for a push that failed
    if status.group:
        facts.append(("Group", status.group))
    if odd := "; ".join(part for part in (status.note or "").split("; ") if part != FAILED_NOTE):
        facts.append(("Odd", odd))
    return (*facts, what_to_do)


KEPT = Stored(JobState)


def to_json(memory: JobState) -> str:
    """Serialize for the ledger."""
    return KEPT.dump(memory)


def from_json(text: object) -> JobState:
    """Deserialize. Raises `Unreadable` (a ValueError) for what `to_json` did not write."""
    return KEPT.load(text)
