"""When a heartbeat is due, late, stale, failed or not a valid time."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.core.cron import Dialect
from bot.domain.core.target import HANDBOOK_HEARTBEATS, HeartbeatPolicy, canonical_job
from bot.domain.heartbeats.heartbeat import (
    MAX_SKEW,
    PUSH_FAILED,
    PUSHED,
    Group,
    Health,
    HeartbeatPoll,
    deadlines,
    judge,
    status_at,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CLOCK = NOW.timestamp()
HOURLY = HeartbeatPolicy(job="a", stale_after=timedelta(hours=1))
NIGHTLY = HeartbeatPolicy(job="a", schedule="0 21 * * *", grace=timedelta(minutes=10))


def group(age: float | None = None, *, failed: float | None = None, job: str = "a", **labels: str) -> Group:
    """A group whose last success is ``age`` seconds ago and whose last failure is ``failed`` seconds ago."""
    gauges = {} if age is None else {PUSHED: CLOCK - age}
    gauges |= {} if failed is None else {PUSH_FAILED: CLOCK - failed}
    return Group({"job": job, **labels}, gauges)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("age", "health"),
    [(0, Health.UP), (3599, Health.UP), (3600, Health.STALE), (3601, Health.STALE), (10**8, Health.STALE)],
)
def test_a_fixed_age_is_stale_from_its_boundary_on_and_never_late(age: float, health: Health) -> None:
    status = status_at(HOURLY, [group(age)], NOW)
    assert status.health is health
    assert status.due == status.stale_at == NOW - timedelta(seconds=age) + timedelta(hours=1)


@pytest.mark.parametrize(
    ("now", "health"),
    [
        (at(2026, 6, 1, 20, 59, 59), Health.UP),
        (at(2026, 6, 1, 21, 0, 0), Health.LATE),
        (at(2026, 6, 1, 21, 9, 59), Health.LATE),
        (at(2026, 6, 1, 21, 10, 0), Health.STALE),
        (at(2026, 6, 3, 0, 0, 0), Health.STALE),
    ],
)
def test_a_schedule_is_late_at_its_next_run_and_stale_a_grace_later(now: datetime, health: Health) -> None:
    last = Group({"job": "a"}, {PUSHED: at(2026, 5, 31, 21, 0, 3).timestamp()})
    status = status_at(NIGHTLY, [last], now)
    assert (status.health, status.due) == (health, at(2026, 6, 1, 21))
    assert status.stale_at == at(2026, 6, 1, 21, 10)


def test_a_job_that_rests_overnight_is_not_stale_in_the_morning() -> None:
    policy = HeartbeatPolicy(job="a", schedule="0 9,12,15,18,21 * * FRI,SAT,SUN,MON")
    due, _ = deadlines(policy, at(2026, 6, 1, 21, 0, 5))  # a Monday
    assert due == at(2026, 6, 5, 9)


@pytest.mark.parametrize(
    ("cron", "schedule", "last", "due"),
    [
        # 02:30 does not exist on 29 March 2026 in Berlin: Debian's cron runs it once the clocks have moved.
        ("debian", "30 2 * * *", at(2026, 3, 28, 1, 30, 5), at(2026, 3, 29, 1, 0)),
        # supercronic runs it an hour later, which is half an hour after that.
        ("supercronic", "30 2 * * *", at(2026, 3, 28, 1, 30, 5), at(2026, 3, 29, 1, 30)),
        # The run after the skipped one is an ordinary one, in summer time.
        ("debian", "30 2 * * *", at(2026, 3, 29, 1, 30, 5), at(2026, 3, 30, 0, 30)),
        ("supercronic", "30 2 * * *", at(2026, 3, 29, 1, 30, 5), at(2026, 3, 30, 0, 30)),
        # 02:30 comes twice on 25 October 2026: one runs it the first time only, the other the second time only.
        ("debian", "30 2 * * *", at(2026, 10, 24, 0, 30, 5), at(2026, 10, 25, 0, 30)),
        ("debian", "30 2 * * *", at(2026, 10, 25, 0, 30, 5), at(2026, 10, 26, 1, 30)),
        ("supercronic", "30 2 * * *", at(2026, 10, 24, 0, 30, 5), at(2026, 10, 25, 1, 30)),
        # One that is done in the second of the two hours has its next run the day after, not before.
        ("debian", "30 2 * * *", at(2026, 10, 25, 1, 10), at(2026, 10, 26, 1, 30)),
        ("debian", "45 2 * * 0", at(2026, 10, 25, 1, 20), at(2026, 11, 1, 1, 45)),
        # Every half hour goes on through both; supercronic leaves out the first one.
        ("debian", "*/30 * * * *", at(2026, 3, 29, 0, 30, 5), at(2026, 3, 29, 1, 0)),
        ("debian", "*/30 * * * *", at(2026, 10, 25, 0, 30, 5), at(2026, 10, 25, 1, 0)),
        ("debian", "*/30 * * * *", at(2026, 10, 25, 1, 0, 5), at(2026, 10, 25, 1, 30)),
        ("supercronic", "*/30 * * * *", at(2026, 10, 24, 23, 30, 5), at(2026, 10, 25, 1, 0)),
        ("supercronic", "*/30 * * * *", at(2026, 10, 25, 1, 0, 5), at(2026, 10, 25, 1, 30)),
        # A day of the month or a day of the week; both, to Debian's cron, where one begins with a star.
        ("supercronic", "0 4 */2 * 1", at(2026, 5, 11, 2, 0, 5), at(2026, 5, 13, 2, 0)),
        ("debian", "0 4 */2 * 1", at(2026, 5, 11, 2, 0, 5), at(2026, 5, 25, 2, 0)),
        # The zone's hour is meant, in winter and in summer.
        ("debian", "0 9 * * *", at(2026, 1, 10, 9), at(2026, 1, 11, 8)),
        ("supercronic", "0 9 * * *", at(2026, 7, 10, 9), at(2026, 7, 11, 7)),
    ],
)
def test_a_schedule_follows_its_zone_through_clock_changes_as_its_cron_does(
    cron: Dialect, schedule: str, last: datetime, due: datetime
) -> None:
    zone, grace = "Europe/Berlin", timedelta(minutes=5)
    policy = HeartbeatPolicy(job="a", schedule=schedule, timezone=zone, cron=cron, grace=grace)
    assert deadlines(policy, last) == (due, due + grace)


def test_a_job_without_a_group_is_never_seen() -> None:
    status = status_at(HOURLY, [], NOW)
    assert (status.health, status.last_success, status.due, status.note) == (Health.NEVER_SEEN, None, None, None)


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (0.0, None),
        (math.nan, "nan is no credible time"),
        (-5.0, "-5 is no credible time"),
        (math.inf, "inf is no credible time"),
        (-math.inf, "-inf is no credible time"),
        (1e300, "1e+300 is no credible time"),
        (CLOCK + MAX_SKEW + 1, "clock skew: its time is "),
        (CLOCK + 2 * MAX_SKEW, ", too far in the future to count"),
        (CLOCK * 1000, "looks like milliseconds"),
        (CLOCK * 1e6, "looks like microseconds"),
        (CLOCK * 1e9, "looks like nanoseconds"),
        (CLOCK / 60, "looks like minutes"),
        (CLOCK / 86_400, "is no credible time"),
        (12.5, "12.5 is no credible time"),  # how long it took
        (1.0, "1 is no credible time"),  # its exit code
    ],
)
@pytest.mark.parametrize("policy", [HOURLY, NIGHTLY])
def test_an_invalid_time_is_no_heartbeat(value: float, note: str | None, policy: HeartbeatPolicy) -> None:
    status = status_at(policy, [Group({"job": "a"}, {PUSHED: value})], NOW)
    assert (status.health, status.last_success) == (Health.NEVER_SEEN, None)
    if note is None:
        assert status.note is None
    else:
        assert status.note is not None
        assert note in status.note


def test_a_time_slightly_in_the_future_counts_and_is_called_clock_skew() -> None:
    status = status_at(HOURLY, [group(-30)], NOW)
    assert status.health is Health.UP
    assert status.note == "clock skew: its time is 30 s in the future"


def test_a_group_without_the_named_gauge_says_so() -> None:
    policy = HeartbeatPolicy(job="a", stale_after=timedelta(hours=1), metric="mine")
    status = status_at(policy, [group(5)], NOW)
    assert (status.health, status.note) == (Health.NEVER_SEEN, "the group has no gauge mine")


@pytest.mark.parametrize(
    ("age", "failed", "health"),
    [
        (60, 30, Health.FAILED),
        (60, 60, Health.UP),
        (30, 60, Health.UP),
        (60, None, Health.UP),
        (7200, 30, Health.FAILED),
        (None, 30, Health.FAILED),
        (60, CLOCK, Health.UP),  # 0: never failed
        (60, -10 * MAX_SKEW, Health.UP),  # no credible time
    ],
)
def test_a_failure_newer_than_the_success_is_failed(
    age: float | None, failed: float | None, health: Health
) -> None:
    status = status_at(HOURLY, [group(age, failed=failed)], NOW)
    assert status.health is health
    assert ("the last push failed" in (status.note or "")) == (health is Health.FAILED)


@pytest.mark.parametrize(
    ("which", "health", "key"),
    [
        ("newest", Health.UP, "context=new"),
        ("any", Health.STALE, "context=old"),
        ("all", Health.UP, "context=new"),
    ],
)
def test_the_policy_chooses_among_several_groups(
    which: Literal["newest", "any", "all"], health: Health, key: str
) -> None:
    policy = HeartbeatPolicy(job="a", stale_after=timedelta(hours=1), groups=which)
    for groups in (
        [group(5, context="new"), group(9999, context="old")],
        [group(9999, context="old"), group(5, context="new")],
    ):
        status = status_at(policy, groups, NOW)
        assert (status.health, status.group) == (health, key)


def test_all_groups_stale_is_stale_for_every_policy() -> None:
    for which in ("newest", "any", "all"):
        policy = HeartbeatPolicy(job="a", stale_after=timedelta(hours=1), groups=which)
        assert status_at(policy, [group(4000), group(5000)], NOW).health is Health.STALE


def test_configured_jobs_come_first_in_their_order_then_the_others_by_name() -> None:
    snapshot = HeartbeatPoll([group(5, job=j) for j in ("zebra", "session_manager", "beta_job", "audit-digest")])
    statuses = judge(HANDBOOK_HEARTBEATS, snapshot, NOW)
    assert [s.job for s in statuses] == [
        "exercise-reminder",
        "audit-digest",
        "session-manager",
        "beta_job",
        "zebra",
    ]
    assert [s.health for s in statuses] == [Health.NEVER_SEEN] + [Health.UP] * 4
    assert [s.policy is None for s in statuses] == [False] * 3 + [True] * 2


def test_underscore_and_dash_name_the_same_job() -> None:
    snapshot = HeartbeatPoll([group(50, job="my_job"), group(5, job="my-job")])
    [status] = judge([HeartbeatPolicy(job="my_job", stale_after=timedelta(minutes=1))], snapshot, NOW)
    assert status.last_success == NOW - timedelta(seconds=5)


def test_a_job_without_a_policy_is_shown_by_its_newest_group_and_its_failure() -> None:
    [up] = judge([], HeartbeatPoll([group(50, x="1"), group(5, x="2"), group(None, x="3")]), NOW)
    assert (up.health, up.group, up.due, up.stale_at) == (Health.UP, "x=2", None, None)
    [failed] = judge([], HeartbeatPoll([group(50, failed=5)]), NOW)
    assert failed.health is Health.FAILED
    [never] = judge([], HeartbeatPoll([group(CLOCK)]), NOW)
    assert never.health is Health.NEVER_SEEN


def test_the_group_label_omits_the_job_and_empty_labels() -> None:
    assert (
        status_at(HOURLY, [group(5, instance="", context="desk", host="x")], NOW).group == "context=desk, host=x"
    )


# Rules for all inputs

values = st.floats(allow_nan=True, allow_infinity=True) | st.floats(CLOCK - 10**6, CLOCK + 10**5)
groups = st.builds(
    Group,
    st.fixed_dictionaries(
        {"job": st.sampled_from(["a", "b_c", "b-c", "d", ""])}, optional={"x": st.text(max_size=3)}
    ),
    st.dictionaries(st.sampled_from([PUSHED, PUSH_FAILED, "mine"]), values),
)
policies = st.builds(
    HeartbeatPolicy,
    job=st.just("a"),
    metric=st.sampled_from([PUSHED, "mine"]),
    groups=st.sampled_from(["newest", "any", "all"]),
    stale_after=st.timedeltas(timedelta(seconds=1), timedelta(days=400)),
) | st.builds(
    HeartbeatPolicy,
    job=st.just("a"),
    groups=st.sampled_from(["newest", "any", "all"]),
    schedule=st.sampled_from(["0 21 * * *", "*/5 * * * *", "30 2 * * SUN", "0 0 29 2 *"]),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
moments = st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(policies, st.lists(groups, max_size=6), moments)
@settings(deadline=None)
def test_every_job_is_judged_exactly_once(policy: HeartbeatPolicy, found: list[Group], now: datetime) -> None:
    statuses = judge([policy], HeartbeatPoll(found), now)
    assert statuses[0].policy is policy
    names = [canonical_job(s.job) for s in statuses[1:]]
    assert names == sorted({canonical_job(g.job) for g in found} - {"a"})


@given(policies, st.lists(groups, max_size=6), moments)
def test_health_agrees_with_the_deadlines(policy: HeartbeatPolicy, found: list[Group], now: datetime) -> None:
    status = status_at(policy, found, now)
    if status.last_success is None:
        assert status.health in (Health.NEVER_SEEN, Health.FAILED)
        assert status.due is status.stale_at is None
        return
    assert status.due is not None
    assert status.stale_at is not None
    assert status.last_success < status.due <= status.stale_at
    if status.health is not Health.FAILED:
        expected = Health.STALE if now >= status.stale_at else Health.LATE if now >= status.due else Health.UP
        assert status.health is expected


@given(policies, st.floats(0, 10**7), st.timedeltas(timedelta(0), timedelta(days=30)))
def test_without_a_new_heartbeat_health_only_gets_worse(
    policy: HeartbeatPolicy, age: float, later: timedelta
) -> None:
    order = [Health.UP, Health.LATE, Health.STALE]
    found = [Group({"job": "a"}, {policy.metric: CLOCK - age})]
    before, after = (status_at(policy, found, moment).health for moment in (NOW, NOW + later))
    assert order.index(before) <= order.index(after)


@given(policies, st.lists(groups.filter(lambda g: PUSHED in g.gauges), min_size=1, max_size=6), st.randoms())
def test_the_order_of_groups_does_not_change_the_health(
    policy: HeartbeatPolicy, found: list[Group], random: object
) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    if policy.groups == "newest":  # equally new groups: either may decide
        return
    assert status_at(policy, found, NOW).health is status_at(policy, shuffled, NOW).health
