"""Judge cron jobs by their heartbeats: when the next success is due, and when the job is stale.

The rules are in docs/alerts.md, "When a job is late, and when stale". Boundaries are ``>=``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import NamedTuple

from bot.domain.core import words
from bot.domain.core.cron import next_run
from bot.domain.core.target import HeartbeatPolicy, canonical_job


class Health(Enum):
    """A job's state by its own heartbeats."""

    NEVER_SEEN = "never seen"
    UP = "up"
    LATE = "late"
    STALE = "stale"
    FAILED = "failed"
    PAUSED = "paused"
    UNKNOWN = "unknown"
    """The Pushgateway has lost all that it held. Never remembered: what was known of the job stays."""


@dataclass(frozen=True, slots=True)
class Group:
    """One Pushgateway group: its grouping key (with ``job``) and the gauges that policies use.

    ``gauges`` maps a metric's name to its value in seconds since the epoch; metrics that are missing have no
    entry.
    """

    labels: Mapping[str, str]
    gauges: Mapping[str, float]
    odd: Mapping[str, float] | None = None
    """In a remembered group: the raw values of gauges pushed with a wrong clock; ``gauges`` has the corrected
    ones."""

    @property
    def job(self) -> str:
        """The ``job`` of the grouping key, as pushed."""
        return self.labels.get("job", "")


@dataclass(frozen=True)
class HeartbeatPoll:
    """The result of one poll of the Pushgateway."""

    groups: Sequence[Group]
    """An unchanged group is the same object as in the last poll, where the adapter can detect that."""
    started: datetime | None = None
    """When the Pushgateway started, if known: it may have lost what it held before."""


class JobStatus(NamedTuple):
    """The state of one job. ``policy`` is None for a job that no policy names."""

    job: str
    health: Health
    last_success: datetime | None
    due: datetime | None
    stale_at: datetime | None
    policy: HeartbeatPolicy | None
    group: str = ""
    """The rest of the grouping key besides ``job``, such as ``context=desk``; or empty."""
    failed_at: datetime | None = None
    """When the last push failed, if that is newer than the last success."""
    note: str | None = None
    """Anything unusual, in words: clock skew, a failed push, a value that is no time."""
    remembered: bool = False
    """Whether the Pushgateway holds nothing of the job any more, so that this is how it was last seen."""

    @property
    def pushes_no_time(self) -> bool:
        """Whether the job pushes, but a value that is no time, so that it can't count."""
        return any(said in (self.note or "") for said in (NO_TIME, OTHER_UNIT, TOO_FAR))


StatusOf = Callable[[HeartbeatPolicy, Sequence[Group], datetime], JobStatus]

PUSHED = "push_time_seconds"
"""The Pushgateway's own gauge: when it last accepted a push, by its clock."""
PUSH_FAILED = "push_failure_time_seconds"
"""The Pushgateway's own gauge: when it last refused a push; 0 is never."""

MANUAL = "agentpod_manual_push_time_seconds"
"""The gauge of a heartbeat that was pushed by hand: it counts, with a note that says so."""
MANUAL_SLACK = 5.0
"""Seconds by which the gateway's clock may be ahead of the bot's, to recognise a push by hand."""

POLLED = "looked"
"""Mark in the ledger: when the Pushgateway last answered the watcher."""

FAILED_NOTE = "the last push failed"

NO_TIME, OTHER_UNIT, TOO_FAR = "is no credible time", "is no time in seconds", "too far in the future to count"
"""How the notes on a value that can't count go on after the value."""

MAX_SKEW = 86_400.0
"""How far in the future a heartbeat may be and still count, in seconds: it hides an outage for as long."""

TEN_YEARS = 10 * 365 * 86_400.0
"""Seconds from now beyond which a number is no time, not even one of a wrong clock."""

EARLY = timedelta(seconds=30)
"""A success up to this long before a run counts for that run: the gateway's clock may be behind cron's."""

FIRST = datetime(2001, 1, 1, tzinfo=UTC).timestamp()
"""Smaller numbers are no times but durations, exit codes or counts of minutes."""

_UNITS = {"minutes": 1 / 60, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
"""Units other than seconds in which times are pushed by mistake: units per second."""

_ORDER = {h: n for n, h in enumerate((Health.UP, Health.LATE, Health.NEVER_SEEN, Health.STALE, Health.FAILED))}


def judge(
    policies: Sequence[HeartbeatPolicy], snapshot: HeartbeatPoll, now: datetime, status_of: StatusOf | None = None
) -> list[JobStatus]:
    """The state of all jobs: those with a policy in the order of policies, then the others by name.

    ``_`` and ``-`` in a job's name are the same. A job without a policy is shown by its newest group.
    ``status_of`` judges a job with a policy from its groups; by default `status_at`.
    """
    found = by_job(snapshot.groups)
    one = status_of or status_at
    known = [one(policy, found.pop(policy.canonical, ()), now) for policy in policies]
    clock = now.timestamp()
    return known + [_without_policy(found[name], clock) for name in sorted(found)]


def by_job(groups: Sequence[Group]) -> dict[str, list[Group]]:
    """Groups by canonical job name."""
    found: dict[str, list[Group]] = {}
    for group in groups:
        name = canonical_job(group.labels.get("job", ""))
        if (several := found.get(name)) is not None:
            several.append(group)
        else:
            found[name] = [group]
    return found


def status_at(policy: HeartbeatPolicy, groups: Sequence[Group], now: datetime) -> JobStatus:
    """Judge one job from all groups with its name.

    ``policy.groups`` says which of several decides: the newest, the worst (``any``) or the best (``all``).
    A job without a success is NEVER_SEEN: whether its first deadline has passed is up to `job_state`, which knows
    since when the job is watched.
    """
    status = _status(policy, groups, now)
    return status._replace(health=Health.PAUSED, due=None, stale_at=None) if policy.paused else status


def _status(policy: HeartbeatPolicy, groups: Sequence[Group], now: datetime) -> JobStatus:
    if not groups:
        return JobStatus(policy.job, Health.NEVER_SEEN, None, None, None, policy)
    clock = now.timestamp()
    if len(groups) == 1 or policy.groups == "newest":
        return _of_group(policy, _newest(groups, policy.metric, clock), now, clock)
    statuses = [_of_group(policy, group, now, clock) for group in groups]
    if policy.groups == "all":  # a group without any success must not outrank those with one
        statuses = [s for s in statuses if s.last_success] or statuses
    choose = max if policy.groups == "any" else min
    return choose(
        statuses, key=lambda s: (_ORDER[s.health], -s.last_success.timestamp() if s.last_success else 0.0)
    )


def deadlines(policy: HeartbeatPolicy, last: datetime) -> tuple[datetime, datetime]:
    """When the next heartbeat after ``last`` is due, and when the job becomes stale without it; both in UTC.

    By a schedule, it is due at the next run and stale ``grace`` later. With a fixed age both are the same moment,
    so that LATE does not occur.
    """
    if policy.stale_after is not None:
        at = last + policy.stale_after
        return at, at
    due = next_run(policy.schedule or "", policy.timezone, last + EARLY, policy.cron)
    return due, due + policy.grace


def health_by(due: datetime, stale_at: datetime, now: datetime) -> Health:
    """The health by the deadlines alone."""
    if now >= stale_at:
        return Health.STALE
    return Health.LATE if now >= due else Health.UP


def _of_group(policy: HeartbeatPolicy, group: Group, now: datetime, clock: float) -> JobStatus:
    value = group.gauges.get(policy.metric)
    last, note = credible(value, clock)
    if value is None:
        note = f"the group has no gauge {policy.metric}"
    failed = _failed_after(group, last or 0.0, clock)
    label = _key(group)
    failed_at = datetime.fromtimestamp(group.gauges[PUSH_FAILED], UTC) if failed else None
    if last is not None and is_by_hand(group, last):
        note = joined("pushed by hand, not by the job", note)
    if last is None:
        health = Health.FAILED if failed else Health.NEVER_SEEN
        return JobStatus(policy.job, health, None, None, None, policy, label, failed_at, joined(failed, note))
    success = datetime.fromtimestamp(last, UTC)
    due, stale_at = deadlines(policy, success)
    health = Health.FAILED if failed else health_by(due, stale_at, now)
    odd = joined(failed, note) if failed or note else None
    return JobStatus(policy.job, health, success, due, stale_at, policy, label, failed_at, odd)


def is_by_hand(group: Group, success: float) -> bool:
    """Whether the group's success of that time was pushed by hand."""
    return group.gauges.get(MANUAL, 0.0) >= success - MANUAL_SLACK


def _without_policy(groups: Sequence[Group], clock: float) -> JobStatus:
    group = _newest(groups, PUSHED, clock)
    last, note = credible(group.gauges.get(PUSHED), clock)
    failed = _failed_after(group, last or 0.0, clock)
    health = Health.FAILED if failed else Health.UP if last else Health.NEVER_SEEN
    success = datetime.fromtimestamp(last, UTC) if last else None
    return JobStatus(group.job, health, success, None, None, None, _key(group), None, joined(failed, note))


def _newest(groups: Sequence[Group], metric: str, clock: float) -> Group:
    if len(groups) == 1:
        return groups[0]
    return max(groups, key=lambda g: credible(g.gauges.get(metric), clock)[0] or 0.0)


def credible(value: float | None, clock: float) -> tuple[float | None, str | None]:
    """Check a gauge's value: the seconds since the epoch, or None for no credible time, and a note on anything
    unusual.

    ``clock`` is now. 0 means never, which gets no note.
    """
    if value is None or value == 0:
        return None, None
    if FIRST <= value <= clock:
        return value, None
    if clock < value <= clock + MAX_SKEW:
        return value, f"clock skew: its time is {words.age(timedelta(seconds=round(value - clock)))} in the future"
    if clock < value < clock + TEN_YEARS:  # an absolute time, so that the note stays the same at each poll
        ahead = words.moment(datetime.fromtimestamp(value, UTC))
        return None, f"clock skew: its time is {ahead}, {TOO_FAR}"
    unit = next((name for name, each in _UNITS.items() if abs(value / each - clock) < TEN_YEARS), None)
    if unit is not None:
        return None, f"{value:g} {OTHER_UNIT}: it looks like {unit}"
    return None, f"{value:g} {NO_TIME}"


def _failed_after(group: Group, last: float, clock: float) -> str | None:
    """The note where a push failed after the last success, else None."""
    failure = group.gauges.get(PUSH_FAILED)
    if not failure:
        return None
    at, _ = credible(failure, clock)
    return FAILED_NOTE if at is not None and at > last else None


def _key(group: Group) -> str:
    """The grouping key without the job. The Pushgateway adds an empty ``instance`` to groups that have none."""
    labels = group.labels
    if len(labels) == 1 or (len(labels) == 2 and not labels.get("instance", "some")):
        return ""
    return ", ".join([f"{name}={value}" for name, value in labels.items() if value and name != "job"])


def joined(*notes: str | None) -> str | None:
    """Join notes; None where there are none."""
    return "; ".join(filter(None, notes)) or None
