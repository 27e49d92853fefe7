"""Events are grouped and counted; only recent warnings are reported."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.probes import Verdict
from bot.domain.core.workload import Event
from bot.domain.health.judge_events import describe, group, judge_events
from tests.times import utc

NOW = datetime(2026, 11, 23, 22, 41, 7, tzinfo=UTC)


def event(reason: str = "BackOff", minutes: float | None = 5, type_: str = "Warning", count: int = 1) -> Event:
    seen = None if minutes is None else NOW - timedelta(minutes=minutes)
    return Event(type_, reason, f"{reason} said", "pod/pod-1", count, last_seen=seen)


@pytest.mark.parametrize(
    ("minutes", "verdict"), [(0, Verdict.WARN), (59.9, Verdict.WARN), (60, Verdict.OK), (None, Verdict.WARN)]
)
def test_warnings_count_for_an_hour_and_without_a_time(minutes: float | None, verdict: Verdict) -> None:
    assert judge_events([event(minutes=minutes)], NOW).verdict is verdict


def test_normal_events_and_none_at_all_are_fine() -> None:
    assert judge_events([event(type_="Normal")], NOW).verdict is Verdict.OK
    assert judge_events([], NOW).summary == "no warnings in the last hour"


def test_the_summary_counts_and_names_the_newest() -> None:
    finding = judge_events([event(minutes=30, count=12), event("Unhealthy", 2), event(minutes=5, count=2)], NOW)
    assert finding.summary == "Unhealthy, 2 min ago: Unhealthy said; 1 more kind of warnings"
    assert utc(finding.evidence, NOW) == (
        "pod/pod-1",
        "BackOff, last 5 min ago (14 times since 22:11 UTC): pod/pod-1: BackOff said",
    )


@pytest.mark.parametrize(
    ("first", "says"),
    [
        (timedelta(hours=15, minutes=41, seconds=7), "last 50 min ago (4,312 times since 07:00 UTC)"),
        (timedelta(days=2), "last 50 min ago (4,312 times since Sat 21 Nov, 22:41 UTC)"),
        (timedelta(minutes=50), "last 50 min ago (4,312 times)"),
    ],
)
def test_repetitions_are_counted_without_claiming_their_times(first: timedelta, says: str) -> None:
    seen = replace(event("Unhealthy", 50, count=4312), first_seen=NOW - first)
    assert utc(judge_events([seen], NOW).summary, NOW) == f"Unhealthy, {says}: Unhealthy said"
    assert f"Unhealthy, {says}: pod/pod-1" in utc(describe(group([seen])[0], NOW), NOW)


def test_a_count_without_times_shows_none() -> None:
    said = judge_events([event(minutes=None, count=7)], NOW).summary
    assert said == "BackOff, last at an unknown time (7 times): BackOff said"


def test_an_event_without_a_message_is_its_reason() -> None:
    assert judge_events([replace(event(), message="")], NOW).summary == "BackOff, 5 min ago"


def test_more_than_three_kinds_are_counted() -> None:
    finding = judge_events([event(f"R{n}", n) for n in range(5)], NOW)
    assert len(finding.evidence) == 4
    assert finding.evidence[3] == "and 2 more kinds"


def test_an_event_without_a_count_happened_once() -> None:
    assert group([event(count=0)])[0].count == 1


def test_the_first_time_replaces_a_missing_last_time() -> None:
    first = NOW - timedelta(minutes=3)
    made = group([Event("Warning", "X", "said", "pod/p", first_seen=first)])
    assert describe(made[0], NOW) == "X, 3 min ago: pod/p: said"


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 90), st.integers(1, 50))))
def test_grouping_loses_no_event_and_sorts_newest_first(rows: list[tuple[str, int, int]]) -> None:
    groups = group([event(reason, minutes, count=count) for reason, minutes, count in rows])
    assert sum(g.count for g in groups) == sum(count for _, _, count in rows)
    assert len(groups) == len({reason for reason, _, _ in rows})
    times = [g.last_seen for g in groups if g.last_seen]
    assert times == sorted(times, reverse=True)
    for entry in groups:
        newest = min(minutes for reason, minutes, _ in rows if reason == entry.reason)
        assert entry.last_seen == NOW - timedelta(minutes=newest)
