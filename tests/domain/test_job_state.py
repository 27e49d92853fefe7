"""The memory of a job over time: every line of docs/alerts.md that is about a single job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.core.cron import Dialect, next_run
from bot.domain.core.target import HeartbeatPolicy
from bot.domain.heartbeats.heartbeat import PUSH_FAILED, PUSHED, Group, Health, HeartbeatPoll, by_job
from bot.domain.heartbeats.judge_heartbeats import NOT_SECONDS
from bot.domain.incidents.alerting import AlertRules, Incident, decide
from bot.domain.incidents.job_state import (
    MOST_GROUPS,
    Flip,
    JobEvaluation,
    JobState,
    from_json,
    judge,
    look,
    problem,
    to_json,
    unchanged,
)
from bot.domain.incidents.sources.heartbeat import HEARTBEAT
from tests.times import utc

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MIN = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

KEY = HEARTBEAT.key("t", "a-job")


def policy(**how: Any) -> HeartbeatPolicy:
    usual = {"job": "a-job"} | ({} if "schedule" in how else {"stale_after": "10m"})
    return HeartbeatPolicy.model_validate(usual | how)


def group(at: datetime | float | None = None, *, failed: datetime | None = None, **labels: str) -> Group:
    gauges = {} if at is None else {PUSHED: at.timestamp() if isinstance(at, datetime) else at}
    if failed is not None:
        gauges[PUSH_FAILED] = failed.timestamp()
    return Group({"job": "a_job", **labels}, gauges)


def story(rule: HeartbeatPolicy, looks: Sequence[tuple[datetime, Sequence[Group]]]) -> JobEvaluation:
    """The last of several polls."""
    memory, found = None, None
    for now, groups in looks:
        found = look(rule, groups, memory, now)
        memory = found.memory
    assert found is not None
    return found


# The states


def test_the_first_heartbeat_makes_a_job_up() -> None:
    found = story(policy(), [(NOW, []), (NOW + MIN, [group(NOW + MIN)])])
    assert found.flip == Flip("a-job", Health.NEVER_SEEN, Health.UP, NOW + MIN)
    assert problem("t", KEY, found, NOW + MIN) is None


@pytest.mark.parametrize(("seconds", "health"), [(599, Health.UP), (600, Health.STALE), (601, Health.STALE)])
def test_a_fixed_age_has_its_boundary_on_the_stale_side(seconds: float, health: Health) -> None:
    found = story(policy(), [(NOW + timedelta(seconds=seconds), [group(NOW)])])
    assert found.status.health is health
    if health is Health.STALE:
        assert found.memory.since == NOW + 10 * MIN, "the deadline, not the look"


@pytest.mark.parametrize(
    ("minutes", "health", "since"),
    [
        (59, Health.UP, 0),
        (60, Health.LATE, 60),
        (69, Health.LATE, 60),
        (70, Health.STALE, 70),
        (900, Health.STALE, 70),
    ],
)
def test_a_schedule_is_late_at_due_and_stale_after_its_grace(minutes: int, health: Health, since: int) -> None:
    found = story(policy(schedule="0 * * * *", grace="10m"), [(NOW + minutes * MIN, [group(NOW)])])
    assert (found.status.health, found.memory.since) == (health, NOW + since * MIN)


def test_a_late_push_with_an_old_time_counts_from_when_it_was_seen() -> None:
    rule = policy(schedule="0 * * * *", grace="10m")
    stale = story(rule, [(NOW, [group(NOW)]), (NOW + 75 * MIN, [group(NOW)])])
    back = look(rule, [group(NOW + HOUR)], stale.memory, NOW + 76 * MIN)
    assert back.flip == Flip("a-job", Health.STALE, Health.UP, NOW + 76 * MIN)


def test_late_is_no_problem_and_ends_with_a_newer_heartbeat() -> None:
    rule = policy(schedule="0 * * * *", grace="10m")
    late = story(rule, [(NOW, [group(NOW)]), (NOW + 65 * MIN, [group(NOW)])])
    assert problem("t", KEY, late, NOW + 65 * MIN) is None
    back = look(rule, [group(NOW + 66 * MIN)], late.memory, NOW + 66 * MIN)
    assert back.flip == Flip("a-job", Health.LATE, Health.UP, NOW + 66 * MIN)


def test_a_failure_newer_than_the_success_is_failed_and_a_newer_success_ends_it() -> None:
    failed = story(policy(), [(NOW + 2 * MIN, [group(NOW, failed=NOW + MIN)])])
    assert (failed.status.health, failed.memory.since) == (Health.FAILED, NOW + MIN)
    assert story(policy(), [(NOW + 2 * MIN, [group(NOW + MIN, failed=NOW)])]).status.health is Health.UP
    wrong = problem("t", KEY, failed, NOW + 2 * MIN)
    assert wrong is not None
    assert wrong.summary == "its last push failed"
    assert "Rule" not in dict(wrong.facts), "the rule says when it is stale, not when a push fails"


@pytest.mark.parametrize(("required", "health"), [(True, Health.STALE), (False, Health.NEVER_SEEN)])
def test_a_required_job_is_stale_after_its_first_deadline(required: bool, health: Health) -> None:
    rule = policy(required=required)
    assert story(rule, [(NOW, []), (NOW + 9 * MIN, [])]).status.health is Health.NEVER_SEEN
    found = story(rule, [(NOW, []), (NOW + 60 * MIN, [])])
    assert found.status.health is health
    if required:
        assert found.memory.since == NOW + 10 * MIN


# What is remembered


def test_a_vanished_series_keeps_ageing() -> None:
    found = story(policy(), [(NOW, [group(NOW)]), (NOW + 5 * MIN, []), (NOW + 10 * MIN, [])])
    assert found.status.health is Health.STALE
    assert found.status.last_success == NOW


def test_a_vanished_series_that_returns_is_up() -> None:
    back = story(policy(), [(NOW, [group(NOW)]), (NOW + 20 * MIN, []), (NOW + 21 * MIN, [group(NOW + 21 * MIN)])])
    assert back.status.health is Health.UP


def test_a_time_that_goes_backwards_is_ignored_and_noted() -> None:
    found = story(policy(), [(NOW, [group(NOW)]), (NOW + MIN, [group(NOW - HOUR)])])
    assert (found.status.health, found.status.last_success) == (Health.UP, NOW)
    assert found.status.note == "its time went back by 1 h; the newer one counts"


@pytest.mark.parametrize(
    ("value", "health", "note"),
    [
        (0.0, Health.NEVER_SEEN, None),
        (-5.0, Health.NEVER_SEEN, "-5 is no credible time"),
        (float("nan"), Health.NEVER_SEEN, "nan is no credible time"),
        (float("inf"), Health.NEVER_SEEN, "inf is no credible time"),
        (NOW.timestamp() + 90, Health.UP, "clock skew: its time was 1 min 30 s in the future"),
        (NOW.timestamp() * 1000, Health.NEVER_SEEN, "looks like milliseconds"),
        (NOW.timestamp() + 90_000, Health.NEVER_SEEN, "clock skew: its time is Wed 25 Nov, 10:00 UTC, too far"),
    ],
)
def test_unusual_times_are_noted_and_only_credible_ones_count(
    value: float, health: Health, note: str | None
) -> None:
    found = story(policy(), [(NOW, [group(value)])])
    assert found.status.health is health
    assert (note or "") in utc(found.status.note or "", NOW)
    assert (note is None) == (found.status.note is None)


@pytest.mark.parametrize("value", [float("nan"), NOW.timestamp() * 1000])
def test_the_alert_of_a_job_that_pushes_no_time_says_so(value: float) -> None:
    rule = policy(required=True)
    memory = look(rule, [group(value)], None, NOW).memory
    wrong = problem("t", KEY, look(rule, [group(value)], memory, NOW + HOUR), NOW + HOUR)
    assert wrong is not None
    assert wrong.summary == "pushes a value that is no time"
    assert dict(wrong.facts)["What to do"] == NOT_SECONDS


@pytest.mark.parametrize(("which", "health"), [("newest", Health.UP), ("any", Health.STALE), ("all", Health.UP)])
def test_the_policy_chooses_among_several_groups(which: str, health: Health) -> None:
    seen = [group(NOW, context="desk"), group(NOW + 12 * MIN, context="web")]
    assert story(policy(groups=which), [(NOW + 15 * MIN, seen)]).status.health is health
    # The one that vanished still counts as it was.
    looks = [(NOW + 12 * MIN, seen), (NOW + 15 * MIN, seen[1:])]
    assert story(policy(groups=which), looks).status.health is health


def test_dashes_and_underscores_name_one_job() -> None:
    found = by_job([group(NOW), Group({"job": "a-job", "context": "x"}, {})])
    assert [len(groups) for groups in found.values()] == [2]


def test_the_memory_survives_a_round_trip_and_is_stable_without_news() -> None:
    found = story(policy(), [(NOW, [group(NOW, context="desk")])])
    assert from_json(to_json(found.memory)) == found.memory
    again = look(policy(), [group(NOW, context="desk")], found.memory, NOW + MIN)
    assert again.memory is found.memory


STEPS = st.sampled_from(["push", "fail", "vanish", "nothing"])


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from(["push", "fail", "vanish", "nothing"])),
        min_size=1,
        max_size=25,
    ),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_skipping_unchanged_polls_gives_the_same_result(steps: list[tuple[int, str]], scheduled: bool) -> None:
    """`unchanged` only saves time: evaluating every poll gives the same result."""
    rule = policy(schedule="*/15 * * * *", grace="5m") if scheduled else policy()
    now, held, always, lazy = NOW, list[Group](), None, None
    for minutes, what in steps:
        now += minutes * MIN
        if what == "push":
            held = [group(now)]
        elif what == "fail":
            held = [group(held[0].gauges.get(PUSHED) if held else None, failed=now)]
        elif what == "vanish":
            held = []
        always = look(rule, held, always, now).memory
        if not unchanged(rule, lazy, held, now):
            lazy = look(rule, held, lazy, now).memory
        assert lazy == always


# Schedules through the year


def runs(rule: HeartbeatPolicy, start: datetime, end: datetime) -> Iterator[datetime]:
    """When its cron runs it; tests/schedules compare that with the real crons."""
    at = start
    while (at := next_run(rule.schedule or "", rule.timezone, at, rule.cron)) < end:
        yield at


def false_alerts(rule: HeartbeatPolicy, start: datetime, end: datetime, took: timedelta = MIN) -> list[str]:
    """The false alerts for a job that runs on time, with runs that last ``took``."""
    pushes = [at + took for at in runs(rule, start, end)]
    looks = sorted({p + n * MIN for p in pushes for n in (-2, -1, 0, 1, 5, 30, 200) if p + n * MIN < end})
    memory: JobState | None = None
    incident: Incident | None = None
    told, done = [], 0
    for now in looks:
        while done < len(pushes) and pushes[done] <= now:
            done += 1
        groups = [group(pushes[done - 1])] if done else []
        found = look(rule, groups, memory, now)
        memory = found.memory
        before = incident
        incident = decide(incident, problem("t", KEY, found, now), AlertRules(), now)
        if incident is not before and incident is not None and incident.notified:
            told.append(f"{now}: {incident.problem.summary}")
    return told


FRIDAY_TO_MONDAY = "0 7,10,13,16,19 * * 5,6,0,1"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
def test_a_weekend_schedule_has_no_false_alert_in_a_year(zone: str) -> None:
    rule = policy(schedule=FRIDAY_TO_MONDAY, timezone=zone, grace="15m")
    assert false_alerts(rule, datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)) == []


def test_a_fixed_age_has_false_alerts_in_the_same_year() -> None:
    """The control: `false_alerts` finds false alerts where there are some."""
    rule = policy(schedule=FRIDAY_TO_MONDAY, timezone="UTC", grace="15m")
    fixed = rule.model_copy(update={"stale_after": 3 * HOUR})
    assert len(false_alerts(fixed, datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC))) > 30


@pytest.mark.parametrize("cron", ["supercronic", "debian"])
@pytest.mark.parametrize(
    "schedule", ["30 2 * * *", "0 2 * * *", "0 3 * * *", "30 1 * * *", "*/30 * * * *", "0 * * * *"]
)
@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/Berlin", datetime(2027, 3, 28, 1, 0, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2027, 10, 31, 1, 0, tzinfo=UTC)),
        ("America/New_York", datetime(2027, 3, 14, 7, 0, tzinfo=UTC)),
        ("America/New_York", datetime(2027, 11, 7, 6, 0, tzinfo=UTC)),
    ],
)
def test_clock_changes_cause_no_false_alert(schedule: str, zone: str, change: datetime, cron: Dialect) -> None:
    rule = policy(schedule=schedule, timezone=zone, cron=cron, grace="10m")
    assert false_alerts(rule, change - 3 * DAY, change + 3 * DAY) == []


@pytest.mark.parametrize("took", [MIN, 40 * MIN, 90 * MIN])
@pytest.mark.parametrize(
    ("schedule", "zone"), [("30 2 * * *", "Europe/Berlin"), ("30 1 * * *", "America/New_York")]
)
def test_a_year_of_a_nightly_job_has_no_false_alert_however_long_it_runs(
    schedule: str, zone: str, took: timedelta
) -> None:
    rule = policy(schedule=schedule, timezone=zone, grace=took + 5 * MIN)
    start = datetime(2026, 6, 1, tzinfo=UTC)
    assert false_alerts(rule, start, start + 365 * DAY, took) == []


@pytest.mark.parametrize(("early", "due"), [(0, 24), (1, 24), (30, 24), (30.5, 0), (31, 0), (600, 0)])
def test_a_success_just_before_a_run_counts_for_that_run(early: float, due: int) -> None:
    """The gateway's clock may be a little behind cron's."""
    rule = policy(schedule="0 9 * * *", grace="10m")
    found = story(rule, [(NOW, [group(NOW - timedelta(seconds=early))])])
    assert found.status.due == NOW + due * HOUR
    assert story(rule, [(NOW + 11 * MIN, [group(NOW - timedelta(seconds=early))])]).status.health is (
        Health.UP if due else Health.STALE
    )


@pytest.mark.parametrize(
    ("last", "due"),
    [
        # 02:30 does not exist on that Sunday: it runs when the hour has been skipped.
        ("2027-03-27T02:30+01:00", "2027-03-28T03:00+02:00"),
        # 02:30 comes twice: the first one counts, and the second is no run of its own.
        ("2027-10-30T02:30+02:00", "2027-10-31T02:30+02:00"),
        ("2027-10-31T02:30+02:00", "2027-11-01T02:30+01:00"),
    ],
)
def test_a_run_in_a_skipped_or_repeated_hour_is_due_once(last: str, due: str) -> None:
    rule = policy(schedule="30 2 * * *", timezone="Europe/Berlin", cron="debian", grace="10m")
    at = datetime.fromisoformat(last)
    found = story(rule, [(at, [group(at)])])
    assert found.status.due == datetime.fromisoformat(due).astimezone(UTC)


def test_a_leap_day_is_a_day() -> None:
    rule = policy(schedule="0 12 29 2 *", grace="10m")
    at = datetime(2028, 2, 29, 12, 0, tzinfo=UTC)
    assert story(rule, [(at, [group(at)])]).status.due == datetime(2032, 2, 29, 12, 0, tzinfo=UTC)
    daily = policy(schedule="0 9 * * *", grace="10m")
    assert false_alerts(daily, datetime(2028, 2, 27, tzinfo=UTC), datetime(2028, 3, 2, tzinfo=UTC)) == []


# Odd clocks, over time

METRIC = "last_success"


def each_minute(memory: JobState, until: int, last: int) -> tuple[JobEvaluation, int]:
    """Poll each minute, with pushes until ``last``; the last result, and the first stale minute."""
    found, stale = None, 0
    for n in range(2, until):
        found = look(policy(), [group(NOW + min(n, last) * MIN)], memory, NOW + n * MIN)
        memory = found.memory
        if found.status.health is Health.STALE:
            stale = stale or n
    assert found is not None
    return found, stale


ODD = [NOW.timestamp() * 1000, float("nan"), float("inf"), -1.0, 1e300, (NOW + 3 * DAY).timestamp()]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("odd", [*ODD, (NOW + 20 * HOUR).timestamp(), (NOW + 3 * MIN).timestamp()])
def test_an_invalid_value_hides_neither_later_heartbeats_nor_their_absence(odd: float, first: bool) -> None:
    before = look(policy(), [] if first else [group(NOW)], None, NOW).memory
    poisoned = look(policy(), [group(odd)], before, NOW + MIN).memory
    found, _ = each_minute(poisoned, 15, 14)
    assert (found.status.health, found.status.last_success, found.status.note) == (Health.UP, NOW + 14 * MIN, None)
    assert each_minute(poisoned, 40, 14)[1] == 24, "ten minutes after its death"


@pytest.mark.parametrize("odd", ODD)
def test_incredible_values_are_noted_and_the_last_credible_one_counts(odd: float) -> None:
    before = look(policy(), [group(NOW)], None, NOW).memory
    found = look(policy(), [group(odd)], before, NOW + MIN)
    assert (found.status.health, found.status.last_success, found.beat) == (Health.UP, NOW, None)
    assert (found.status.note or "").endswith("; the last credible one counts")
    assert from_json(to_json(found.memory)) == found.memory
    assert look(policy(), [group(odd)], found.memory, NOW + MIN).memory is found.memory
    assert look(policy(), [group(odd)], found.memory, NOW + 10 * MIN).status.health is Health.STALE


def test_a_time_in_the_future_counts_as_of_when_it_was_first_seen() -> None:
    ahead = [group(NOW + 20 * HOUR)]
    found = look(policy(), ahead, look(policy(), [group(NOW)], None, NOW).memory, NOW + MIN)
    assert (found.status.last_success, found.beat) == (NOW + MIN, NOW + MIN)
    assert found.status.note == "clock skew: its time was 19 h 59 min in the future"
    later = look(policy(), ahead, found.memory, NOW + 2 * MIN)
    assert later.memory is found.memory, "the same push, and the same words"
    assert look(policy(), ahead, from_json(to_json(found.memory)), NOW + 11 * MIN).status.health is Health.STALE
    newer = look(policy(), [group(NOW + 20 * HOUR + MIN)], found.memory, NOW + 5 * MIN)
    assert newer.status.last_success == NOW + 5 * MIN, "another push by the same clock"


def test_a_skew_that_a_clock_ahead_of_this_one_remembered_is_said_once() -> None:
    pushed = [group(NOW + HOUR)]
    memory = look(policy(), pushed, None, NOW + HOUR).memory
    pushed = [group(NOW + HOUR + MIN)]
    assert look(policy(), pushed, memory, NOW).status.note == "clock skew: its time is 1 h in the future"


def test_the_note_on_clock_skew_is_the_same_at_each_poll() -> None:
    ahead = [group(NOW + 48 * HOUR)]
    found = look(policy(), ahead, look(policy(), [group(NOW)], None, NOW).memory, NOW + MIN)
    said = "clock skew: its time is Thu 26 Nov, 09:00 UTC, too far in the future to count; the last credible one"
    assert (found.status.last_success, utc(found.status.note, NOW)) == (NOW, f"{said} counts")
    later = look(policy(), ahead, found.memory, NOW + 2 * MIN)
    assert later.memory is found.memory, "nothing is written or edited for it"


def test_only_the_newest_groups_of_a_job_are_remembered() -> None:
    seen = [group(NOW - n * MIN, instance=f"i-{n}") for n in range(MOST_GROUPS + 20)]
    kept = look(policy(), seen, None, NOW).memory.groups
    assert {g.labels["instance"] for g in kept} == {f"i-{n}" for n in range(MOST_GROUPS)}


def test_a_clock_that_was_set_back_hides_neither_heartbeats_nor_their_end() -> None:
    memory = look(policy(), [group(NOW)], None, NOW).memory
    for minute in range(1, 16):
        found = look(policy(), [group(NOW - HOUR + minute * MIN)], memory, NOW + minute * MIN)
        memory = from_json(to_json(found.memory))
        counts = NOW + minute * MIN if minute > 1 else NOW
        assert (found.status.health, found.status.last_success) == (Health.UP, counts), "what moves on was pushed"
        assert (found.status.note or "").startswith("its time went back by ")
    last = [group(NOW - 45 * MIN)]
    assert look(policy(), last, memory, NOW + 24 * MIN).status.health is Health.UP
    assert look(policy(), last, memory, NOW + 25 * MIN).status.health is Health.STALE
    right = look(policy(), [group(NOW + 26 * MIN)], memory, NOW + 26 * MIN)
    assert (right.status.last_success, right.status.note) == (NOW + 26 * MIN, None)


def test_a_failure_with_a_future_time_ends_with_the_next_success() -> None:
    skewed = group(NOW + 20 * HOUR, failed=NOW + 20 * HOUR + MIN)
    found = look(policy(), [skewed], look(policy(), [group(NOW)], None, NOW).memory, NOW + MIN)
    assert (found.status.health, found.status.failed_at) == (Health.FAILED, NOW + MIN)
    better = look(policy(), [group(NOW + 2 * MIN, failed=NOW + 20 * HOUR + MIN)], found.memory, NOW + 3 * MIN)
    assert (better.status.health, better.status.last_success) == (Health.UP, NOW + 2 * MIN)


def test_only_gauges_of_the_policy_are_remembered() -> None:
    other = Group({"job": "a_job"}, {PUSHED: NOW.timestamp(), "other": float("nan")})
    found = look(policy(), [other], None, NOW)
    assert from_json(to_json(found.memory)) == found.memory
    assert unchanged(policy(), found.memory, [other], NOW + MIN)


def test_a_refused_push_is_shown_once_with_last_success_and_remedy() -> None:
    known = look(policy(), [group(NOW)], None, NOW).memory
    found = problem("t", KEY, look(policy(), [group(NOW, failed=NOW + MIN)], known, NOW + MIN), NOW + MIN)
    assert found is not None
    assert (found.summary, found.counted_from, found.since) == ("its last push failed", "Since", NOW + MIN)
    assert [label for label, _ in found.facts] == ["Last success", "What to do"]
    stale = problem("t", KEY, look(policy(), [group(NOW)], known, NOW + 10 * MIN), NOW + 10 * MIN)
    assert stale is not None
    assert (stale.counted_from, [label for label, _ in stale.facts]) == ("Overdue since", ["Rule", "What to do"])
    [what_to_do] = [value for label, value in stale.facts if label == "What to do"]
    assert "`/agentpod heartbeats` says more" in what_to_do
    assert len(f"What to do: {what_to_do}") < 130, "three lines on a phone"


# Rules that change, and pauses


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"stale_after": "26h"}, {"stale_after": "10m"}),
        ({"schedule": "0 9 * * *"}, {"schedule": "0 * * * *", "grace": "1m"}),
        ({"metric": METRIC}, {"metric": PUSHED}),
    ],
)
def test_a_changed_policy_applies_at_once(old: dict[str, str], new: dict[str, str]) -> None:
    seen, later = [group(NOW)], NOW + 62 * MIN
    memory = look(policy(**old), seen, None, NOW).memory
    assert not unchanged(policy(**new), memory, seen, later)
    found = look(policy(**new), seen, memory, later)
    assert found.status.health is Health.STALE
    assert look(policy(**new), seen, found.memory, later).memory is found.memory


def test_a_newly_required_job_is_judged_again() -> None:
    memory = look(policy(required=False), [], None, NOW).memory
    assert unchanged(policy(required=False), memory, [], NOW + HOUR)
    assert not unchanged(policy(), memory, [], NOW + HOUR)


def test_a_paused_job_is_no_problem_and_gets_one_period_when_resumed() -> None:
    stale = look(policy(), [group(NOW)], None, NOW + HOUR)
    paused = look(policy(paused=True), [group(NOW)], stale.memory, NOW + HOUR)
    assert (paused.status.health, paused.status.due) == (Health.PAUSED, None)
    assert problem("t", KEY, paused, NOW + HOUR) is None
    assert unchanged(policy(paused=True), paused.memory, [group(NOW)], NOW + 5 * DAY)
    resumed = look(policy(), [group(NOW)], paused.memory, NOW + 2 * HOUR)
    assert (resumed.status.health, resumed.status.stale_at) == (Health.UP, NOW + 2 * HOUR + 10 * MIN)
    again = look(policy(), [group(NOW)], resumed.memory, NOW + 2 * HOUR + 10 * MIN)
    assert again.flip == Flip("a-job", Health.UP, Health.STALE, NOW + 2 * HOUR + 10 * MIN)


def test_a_job_with_a_new_gauge_gets_one_period_to_push_it() -> None:
    before = story(policy(), [(NOW, [group(NOW)]), (NOW + DAY, [group(NOW + DAY)])])
    other, later = policy(metric="a_job_last_success"), NOW + DAY + MIN
    changed = look(other, [group(NOW + DAY)], before.memory, later)
    assert changed.status.health is Health.NEVER_SEEN
    assert problem("t", KEY, changed, later) is None
    again = look(other, [group(NOW + DAY)], changed.memory, later + 9 * MIN)
    assert again.status.health is Health.NEVER_SEEN
    assert look(other, [group(NOW + DAY)], again.memory, later + 10 * MIN).status.health is Health.STALE


def test_a_resumed_never_seen_job_gets_one_period() -> None:
    paused = look(policy(paused=True), [], None, NOW)
    resumed = look(policy(), [], paused.memory, NOW + DAY)
    assert resumed.status.health is Health.NEVER_SEEN
    assert look(policy(), [], resumed.memory, NOW + DAY + 10 * MIN).status.health is Health.STALE


def test_a_job_that_the_gateway_lost_has_a_note() -> None:
    memory = look(policy(), [group(NOW)], None, NOW).memory
    assert not unchanged(policy(), memory, [], NOW + MIN)
    gone = look(policy(), [], memory, NOW + MIN)
    assert gone.status.note == "the Pushgateway has lost its heartbeat"
    assert look(policy(), [group(NOW + 2 * MIN)], gone.memory, NOW + 2 * MIN).status.note is None


@pytest.mark.parametrize(
    ("started", "note"),
    [
        (NOW - DAY, "the Pushgateway has lost its heartbeat"),
        (NOW + 30 * MIN, "the Pushgateway restarted at 09:30 UTC and lost its heartbeat"),
    ],
)
def test_only_a_restart_after_a_job_was_last_seen_is_the_reason_that_its_heartbeat_is_gone(
    started: datetime, note: str
) -> None:
    before = NOW + 20 * MIN  # the job has been silent since NOW, and is still held by a gateway that restarted
    memory = look(policy(), [group(NOW)], None, NOW, NOW - 2 * DAY).memory
    assert not unchanged(policy(), memory, [group(NOW)], before, before)
    memory = look(policy(), [group(NOW)], memory, before, before).memory
    later = max(started, before)
    gone = look(policy(), [], memory, NOW + HOUR, later)
    assert utc(gone.status.note, NOW) == note
    [read] = judge("pod", [policy()], HeartbeatPoll((), later), {f"pod/{policy().canonical}": memory}, NOW + HOUR)
    assert utc(read.note, NOW) == note


@pytest.mark.parametrize(
    ("started", "note"),
    [
        (NOW - DAY, "the Pushgateway has lost its heartbeat"),
        (NOW + 30 * MIN, "the Pushgateway restarted at 09:30 UTC and lost its heartbeat"),
    ],
)
def test_a_restart_of_the_gateway_is_noted(started: datetime, note: str) -> None:
    memory = look(policy(), [group(NOW)], None, NOW).memory
    gone = look(policy(), [], memory, NOW + HOUR, started)
    assert (gone.status.health, utc(gone.status.note, NOW)) == (Health.STALE, note)
    assert look(policy(), [], gone.memory, NOW + 9 * DAY, started).memory is gone.memory, "and stays said so"
