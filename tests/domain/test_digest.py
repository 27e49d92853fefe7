"""The digest: a day's spans, to the second, and their text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals.actions.egress_repair import EGRESS_REPAIR
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import Choice, Decision, Request, RequestState, Snapshot
from bot.domain.approvals.egress_policy import EgressLog, with_log
from bot.domain.approvals.egress_steps import POD as POD_STEP
from bot.domain.approvals.egress_steps import TEST
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.core.history import BEAT, SOURCE, HistoryEvent, pod_source
from bot.domain.core.intervals import Interval, What, merged
from bot.domain.core.reply import plain
from bot.domain.core.target import POD as POD_SUBJECT
from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.digest import day as digest
from bot.domain.digest import restarts, timeline
from bot.domain.digest.alt_text import in_words
from bot.domain.digest.card import digest as digest_reply
from bot.domain.digest.day import Day, DayTrack, DigestFacts, WatchedSince, window
from bot.domain.incidents.alerting import AlertRules, Incident, Maintenance, decide
from bot.domain.incidents.problem import Problem
from tests.times import utc

DAY = date(2026, 11, 23)
START = datetime(2026, 11, 1, tzinfo=UTC)
OF = window(DAY, "UTC")
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ALWAYS = WatchedSince(START, START)
POD = pod_source("pod")
TARGET = Target(
    name="pod", heartbeats=tuple(HeartbeatPolicy(job=j, stale_after=timedelta(hours=1)) for j in ("alpha", "beta"))
)


def at(hour: float) -> datetime:
    """That hour of the day."""
    return OF.start + timedelta(hours=hour)


PUSHGATEWAY, API = "source:pushgateway", "source:cluster:pod"


def incident(
    kind: str, subject: str, since: float, until: float | None, severity: Any = "critical", key: str = ""
) -> Incident:
    problem = Problem(key or f"{kind}:{subject}", kind, "pod", subject, "bad", severity, at(since))
    made = decide(None, problem, AlertRules(), at(since))
    assert made is not None
    if until is None:
        return made
    gone = decide(made, None, AlertRules(), at(until))
    assert gone is not None
    over = decide(gone, None, AlertRules(), at(until) + timedelta(hours=1))
    assert over is not None
    return over


def blind(key: str, since: float, until: float | None) -> Incident:
    """An incident of a source that could not be read."""
    return incident("blind", "x", since, until, key=key)


def event(subject: str, hour: float, what: str) -> HistoryEvent:
    return HistoryEvent("" if subject in (SOURCE, POD) else "pod", subject, at(hour), what)


def off(since: float, until: float) -> list[HistoryEvent]:
    """An event that no bot was running."""
    return [event(s, hour, what) for s in (SOURCE, POD) for hour, what in ((since, "off"), (until, "ok"))]


def day(
    incidents: Sequence[Incident] = (),
    history: Sequence[HistoryEvent] = (),
    now: datetime = NOW,
    watched: WatchedSince = ALWAYS,
    maintenance: Sequence[Maintenance] = (),
) -> Day:
    return timeline.day(TARGET, OF, incidents, history, now, watched, maintenance)


def lane(of: Day, subject: str) -> DayTrack:
    return next(found for found in (*of.jobs, of.pod) if found.subject == subject)


@pytest.mark.parametrize(
    ("day_", "zone", "hours"),
    [
        (date(2027, 3, 28), "Europe/Berlin", 23),
        (date(2027, 10, 31), "Europe/Berlin", 25),
        (date(2027, 3, 14), "America/New_York", 23),
        (date(2027, 11, 7), "America/New_York", 25),
        (date(2028, 2, 29), "UTC", 24),
    ],
)
def test_the_length_of_a_local_day_follows_clock_changes(day_: date, zone: str, hours: int) -> None:
    assert window(day_, zone).length == timedelta(hours=hours)


def test_yesterday_is_in_the_digest_s_time_zone() -> None:
    late = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    assert digest.yesterday(late, "UTC") == date(2026, 11, 23)
    assert digest.yesterday(late, "Asia/Tokyo") == date(2026, 11, 24)


def test_a_downtime_that_goes_on_without_data_says_what_is_not_counted() -> None:
    found = day([incident("heartbeat", "alpha", 3, 6), blind(PUSHGATEWAY, 4, 5)])
    said = "🔴 alpha: down 2 h, once (1 h without data not counted) · the day before: all good"
    assert said in read(DigestFacts([found], [day()]))
    headline = "🔎 Mon 23 Nov: alpha down 2 h (1 h without data not counted), pod up 100 %"
    assert read(DigestFacts([found], [day()]))[0] == headline
    apart = day([incident("heartbeat", "alpha", 3, 5), blind(PUSHGATEWAY, 5, 6)])
    assert lane(apart, "alpha").gap == timedelta(), "it was over before"
    apart = day([incident("heartbeat", "alpha", 3, 4), blind(PUSHGATEWAY, 5, 6)])
    assert "🔴 alpha: down 1 h, once · the day before: all good" in read(DigestFacts([apart], [day()]))


def silent(last: float, since: float, until: float | None) -> Incident:
    """A job's incident whose last heartbeat was still the same at its last poll."""
    one = incident("heartbeat", "alpha", since, until)
    return replace(one, problem=replace(one.problem, success=at(last)))


def test_silence_that_a_later_poll_proves_is_downtime() -> None:
    gap = off(3, 6)
    found = lane(day([silent(2.5, 3.5, 7)], gap), "alpha")
    assert [(s.what, s.start, s.end) for s in found.spans] == [(What.DOWN, at(3.5), at(7))], "as the alert says"
    assert "🔴 alpha: down 3 h 30 min, once · the day before: all good" in read(
        DigestFacts([day([silent(2.5, 3.5, 7)], gap)], [day()])
    )
    went_on = lane(day([silent(1, 2, None)], off(3, 6), now=at(8)), "alpha")
    assert (went_on.total(What.DOWN), went_on.total(What.UNKNOWN)) == (timedelta(hours=6), timedelta())


@pytest.mark.parametrize(
    "one",
    [
        silent(2.5, 3.5, 6),  # the first poll after the gap found a heartbeat, and it may have come at any time
        silent(4, 3.5, 7),  # one had come within the gap
        incident("heartbeat", "alpha", 3.5, 7),  # it is not known
    ],
)
def test_silence_that_no_poll_proves_stays_unknown(one: Incident) -> None:
    assert lane(day([one], off(3, 6)), "alpha").total(What.UNKNOWN) == timedelta(hours=3)


def test_an_empty_day_is_good() -> None:
    empty = day()
    assert empty.good
    assert empty.uptime == 100.0


def test_a_downtime_lasts_from_its_deadline_to_its_recovery() -> None:
    down = lane(day([incident("heartbeat", "alpha", 3, 5.5)]), "alpha")
    assert (down.total(What.DOWN), down.downs) == (timedelta(hours=2.5), 1)


def test_spans_are_cut_at_the_ends_of_the_day() -> None:
    down = lane(day([incident("heartbeat", "alpha", -30, 2)]), "alpha")
    assert down.total(What.DOWN) == timedelta(hours=2)
    still = lane(day([incident("heartbeat", "alpha", 20, None)]), "alpha")
    assert still.total(What.DOWN) == timedelta(hours=4)


def test_downtime_in_both_history_and_incident_counts_once() -> None:
    story = [event("alpha", 3, "stale"), event("alpha", 5, "up")]
    down = lane(day([incident("heartbeat", "alpha", 3, 5)], story), "alpha")
    assert (down.total(What.DOWN), down.downs) == (timedelta(hours=2), 1)


def test_lateness_is_no_downtime_and_ends_when_the_job_is_down() -> None:
    story = [event("alpha", 3, "late"), event("alpha", 4, "stale"), event("alpha", 5, "up")]
    found = lane(day([], story), "alpha")
    assert (found.total(What.LATE), found.total(What.DOWN)) == (timedelta(hours=1), timedelta(hours=1))


def test_a_run_of_some_minutes_is_on_time() -> None:
    story = [event("alpha", 21, "late"), event("alpha", 21.05, "up")]
    story += [event("beta", 21, "late"), event("beta", 21.2, "up")]
    assert day([], story).late == 1
    assert lane(day([], story), "alpha").spans == ()


def test_heartbeats_are_runs_of_the_day() -> None:
    story = [event("alpha", hour, BEAT) for hour in (-1, 0, 12, 23.99, 24)]
    assert len(lane(day([], story), "alpha").runs) == 3


def test_time_without_data_is_not_healthy() -> None:
    without = day([blind(PUSHGATEWAY, 6, 12), blind(API, 6, 12)])
    assert not without.good
    assert without.of_jobs == without.of_pod == timedelta(hours=6)
    assert without.uptime == 100.0, "of the known time"
    assert day([blind(API, 0, 12), incident("pod", "pod", 6, 18)]).uptime == 50.0
    assert day([blind(API, -1, 25)]).uptime is None


@pytest.mark.parametrize(
    ("one", "jobs", "pod"),
    [
        ([blind(PUSHGATEWAY, 0, 12)], 12, 0),
        ([blind(API, 0, 12)], 0, 12),
        ([blind("source:cluster:other", 0, 12)], 0, 0),
    ],
)
def test_an_unavailable_source_affects_only_its_own_lanes(one: list[Incident], jobs: int, pod: int) -> None:
    found = day([*one, incident("pod", "pod", 0, 12)])
    assert (found.of_jobs, found.of_pod) == (timedelta(hours=jobs), timedelta(hours=pod))
    assert found.uptime == (50.0 if pod == 0 else 100.0)


def test_unknown_time_is_neither_down_nor_late() -> None:
    story = [event("alpha", 2, "late"), event("alpha", 8, "stale"), event("alpha", 16, "up")]
    found = lane(day([blind(PUSHGATEWAY, 4, 12)], story), "alpha")
    assert [(s.what, s.start, s.end) for s in found.spans] == [
        (What.LATE, at(2), at(4)),
        (What.UNKNOWN, at(4), at(12)),
        (What.DOWN, at(12), at(16)),
    ]


def test_downtimes_around_missing_data_count_once() -> None:
    twice = day([blind(API, 6, 8), incident("pod", "pod", 4, 10)])
    assert lane(twice, "pod").downs == 1
    later = day([blind(API, 6, 8), incident("pod", "pod", 4, 6), incident("pod", "pod", 9, 10)])
    assert lane(later, "pod").downs == 2


def test_there_is_no_data_before_the_first_poll() -> None:
    found = day(watched=WatchedSince(at(6), at(9)))
    assert (found.of_jobs, found.of_pod) == (timedelta(hours=6), timedelta(hours=9))
    assert not day(watched=WatchedSince()).known
    assert not day(watched=WatchedSince()).good


def test_there_is_no_data_while_the_bot_was_off() -> None:
    found = day([], off(2, 5))
    assert found.of_jobs == found.of_pod == timedelta(hours=3)


def test_no_bot_was_running_if_no_source_was_polled() -> None:
    sources = (SOURCE, POD)
    assert timeline.off_at(off(2, 5), at(3), sources)
    assert not timeline.off_at(off(2, 5), at(6), sources)
    assert not timeline.off_at([event(SOURCE, 2, "off"), event(SOURCE, 5, "ok")], at(3), sources)


@pytest.mark.parametrize("turn", [1, -1])
def test_one_poll_between_two_off_times_gives_no_data_for_the_second(turn: int) -> None:
    history = [*off(2, 5), *off(5, 8)][::turn]
    found = day([], history)
    assert [lane(found, subject).total(What.UNKNOWN) for subject in ("alpha", "pod")] == [timedelta(hours=6)] * 2
    assert timeline.off_at(history, at(6), (SOURCE, POD))


def test_a_paused_job_is_neither_on_time_nor_late() -> None:
    found = day([], [event("alpha", -100, "paused"), event("beta", 12, "paused")])
    assert found.paused == ("alpha",)
    assert [j.subject for j in found.jobs] == ["beta"], "half a day counts"
    assert lane(found, "beta").total(What.PAUSED) == timedelta(hours=12)
    assert found.good


def test_a_pause_is_recognised_on_a_day_with_missing_data() -> None:
    assert day([blind(PUSHGATEWAY, 6, 8)], [event("alpha", -100, "paused")]).paused == ("alpha",)


def planned(start: float, hours: float, **more: Any) -> Maintenance:
    """A maintenance once on that day."""
    return Maintenance(name="move", start=at(start), lasts=timedelta(hours=hours), **more)


def kinds(of: Day, subject: str) -> list[tuple[What, float, float]]:
    """A lane's spans, in hours of the day."""
    hour = timedelta(hours=1)
    return [(s.what, (s.start - OF.start) / hour, (s.end - OF.start) / hour) for s in lane(of, subject).spans]


def test_downtime_is_excused_only_within_maintenance() -> None:
    bad = [incident("heartbeat", "alpha", 3, 9), incident("pod", "pod", 5, 6)]
    found = day(bad, maintenance=[planned(4, 4)])
    assert kinds(found, "alpha") == [(What.DOWN, 3, 4), (What.MAINTENANCE, 4, 8), (What.DOWN, 8, 9)]
    assert lane(found, "alpha").downs == 1
    assert kinds(found, "pod") == [(What.MAINTENANCE, 5, 6)]
    assert found.uptime == 100.0
    assert day([incident("pod", "pod", 4, 16)], maintenance=[planned(4, 4)]).uptime == 60.0, "8 of 20 h"


def test_a_maintenance_without_downtime_is_not_shown() -> None:
    assert day(maintenance=[planned(4, 4)]) == day()


def test_lateness_and_failures_in_maintenance_are_excused() -> None:
    story = [event("alpha", 4, "late"), event("alpha", 5, "failed"), event("alpha", 7, "up")]
    found = day([], story, maintenance=[planned(4, 4)])
    assert kinds(found, "alpha") == [(What.MAINTENANCE, 4, 7)]
    assert found.good
    assert found.late == 0


@pytest.mark.parametrize(
    ("only", "alpha", "beta", "pod"),
    [
        ({}, True, True, True),
        ({"jobs": ("alpha",)}, True, False, False),
        ({"targets": ("pod",)}, True, True, True),
        ({"targets": ("other",)}, False, False, False),
    ],
)
def test_a_maintenance_applies_only_to_what_it_names(
    only: dict[str, Any], alpha: bool, beta: bool, pod: bool
) -> None:
    bad = [incident("heartbeat", j, 5, 6) for j in ("alpha", "beta")] + [incident("pod", "pod", 5, 6)]
    found = day(bad, maintenance=[planned(4, 4, **only)])
    assert [not lane(found, subject).downs for subject in ("alpha", "beta", "pod")] == [alpha, beta, pod]


def test_every_run_of_a_scheduled_maintenance_counts_even_from_the_day_before() -> None:
    nightly = Maintenance(name="n", schedule="0 23,11 * * *", timezone="Europe/Berlin", lasts=timedelta(hours=3))
    found = day([incident("heartbeat", "alpha", -5, 25)], maintenance=[nightly])
    assert kinds(found, "alpha") == [
        (What.MAINTENANCE, 0, 1),
        (What.DOWN, 1, 10),
        (What.MAINTENANCE, 10, 13),
        (What.DOWN, 13, 22),
        (What.MAINTENANCE, 22, 24),
    ]


@given(st.integers(0, 1439), st.integers(60, 600), st.sampled_from(["0 2 * * *", "30 */4 * * *", "0 22 * * 1-5"]))
def test_digest_and_alerts_agree_on_maintenance(minute: int, lasts: int, schedule: str) -> None:
    one = Maintenance(name="n", schedule=schedule, lasts=timedelta(minutes=min(lasts, 200)))
    moment = at(minute / 60)
    spans = lane(day([incident("heartbeat", "alpha", -99, 99)], maintenance=[one]), "alpha").spans
    [there] = [s.what for s in spans if s.start <= moment < s.end]
    assert (there is What.MAINTENANCE) == one.active(moment)


def test_maintenance_without_data_is_unknown() -> None:
    found = day([blind(PUSHGATEWAY, 4, 6), incident("heartbeat", "alpha", 3, 8)], maintenance=[planned(3, 5)])
    assert kinds(found, "alpha") == [(What.MAINTENANCE, 3, 4), (What.UNKNOWN, 4, 6), (What.MAINTENANCE, 6, 8)]


def test_a_job_in_maintenance_all_day_is_neither_on_time_nor_down() -> None:
    found = day([incident("heartbeat", "alpha", -1, 25)], maintenance=[planned(-2, 48)])
    assert (found.away, [j.subject for j in found.jobs]) == (("alpha",), ["beta"])
    assert day([incident("pod", "pod", -1, 25)], maintenance=[planned(-2, 48)]).uptime is None


def test_a_never_seen_job_is_not_on_time() -> None:
    found = day(watched=replace(ALWAYS, never=frozenset({"alpha"})))
    assert (found.never, [j.subject for j in found.jobs]) == (("alpha",), ["beta"])


def test_of_two_events_at_the_same_time_the_pod_s_final_state_counts() -> None:
    story = [event("pod", 6, "ready"), event("pod", 6, "down")]
    assert day([], story).uptime == 100.0


def test_the_pod_is_down_from_when_it_was_not_ready() -> None:
    found = day([], [event("pod", 6, "down"), event("pod", 7.2, "ready")])
    assert found.uptime == pytest.approx(95.0)
    assert lane(found, "pod").downs == 1


def test_an_unfinished_day_ends_now() -> None:
    found = day([incident("heartbeat", "alpha", 3, None)], now=at(4))
    assert lane(found, "alpha").total(What.DOWN) == timedelta(hours=1)
    assert found.window.end == at(4)


SPANS = st.lists(st.tuples(st.floats(-5, 30), st.floats(0.01, 10), st.sampled_from(list(What))), max_size=12)


@given(SPANS)
def test_no_time_is_counted_twice(given_: list[tuple[float, float, What]]) -> None:
    spans = [Interval(what, at(start), at(start + hours)) for start, hours, what in given_]
    found = merged(spans)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(a.end < b.start or a.what is not b.what for a, b in pairwise(found))
    for moment in [s.start for s in spans]:
        wanted = min((list(What).index(s.what) for s in spans if s.start <= moment < s.end), default=None)
        got = [list(What).index(s.what) for s in found if s.start <= moment < s.end]
        assert got == ([] if wanted is None else [wanted])


# How it reads


def read(facts: DigestFacts) -> list[str]:
    reply = utc(digest_reply(facts, NOW), NOW)
    return [reply.headline, *map(plain, reply.body), *(f"{f.label}: {plain(f.value)}" for f in reply.facts)]


def test_a_good_day_is_one_line() -> None:
    assert read(DigestFacts([day()], [day()])) == ["✅ Mon 23 Nov: all good, 2 jobs on time, pod up 100 %"]


def test_the_worst_comes_first_with_the_day_before() -> None:
    bad = [incident("heartbeat", "alpha", 3, 4), incident("heartbeat", "beta", 5, 10)]
    before = day([incident("heartbeat", "alpha", 1, 1.5)])
    assert read(DigestFacts([day(bad)], [before])) == [
        "🔎 Mon 23 Nov: beta down 5 h and 1 other, pod up 100 %",
        "🔴 beta: down 5 h, once · the day before: all good",
        "🔴 alpha: down 1 h, once · the day before: down 30 min, once",
        "✅ pod: all good",
    ]


def test_a_day_before_that_was_the_same_for_all_is_one_line() -> None:
    bad = [incident("heartbeat", "alpha", 3, 4), incident("heartbeat", "beta", 5, 10)]
    assert read(DigestFacts([day(bad)], [day()]))[1:] == [
        "🔴 beta: down 5 h, once",
        "🔴 alpha: down 1 h, once",
        "Each of these, the day before: all good",
        "✅ pod: all good",
    ]


def test_a_day_before_without_data_is_not_called_good() -> None:
    bad, unknown = day([incident("heartbeat", "alpha", 3, 4)]), day(watched=WatchedSince())
    assert read(DigestFacts([bad], [unknown]))[1] == "🔴 alpha: down 1 h, once · the day before: no data"


def test_a_share_is_never_rounded_up_to_100_percent() -> None:
    text = read(DigestFacts([day([incident("pod", "pod", 6, 6.001)])], [day()]))[0]
    assert "pod up 99.99 %" in text


def of(*incidents: Incident, story: Sequence[HistoryEvent] = ()) -> list[str]:
    return read(DigestFacts([day(incidents, story)], [day()]))


def test_unknown_time_is_shown() -> None:
    assert of(story=off(6, 8)) == [
        "🔎 Mon 23 Nov: no problems seen, no data for 2 h, pod up 100 % of 22 h with data"
    ]
    bad = of(incident("heartbeat", "alpha", 3, 4), story=off(6, 8))
    assert "🙈 No data for 2 h: left out of the totals." in bad
    assert of(story=off(-1, 25)) == ["🔎 Mon 23 Nov: no data"]


def test_what_has_no_data_is_named() -> None:
    assert of(blind(PUSHGATEWAY, 0, 12))[0] == (
        "🔎 Mon 23 Nov: no problems seen, no data on the jobs for 12 h, pod up 100 %"
    )
    assert of(blind(PUSHGATEWAY, -1, 25))[0] == (
        "🔎 Mon 23 Nov: no problems seen, no data on the jobs, pod up 100 %"
    )
    assert of(blind(API, -1, 25))[0].endswith("no data on the pod")
    assert of(blind(PUSHGATEWAY, 0, 12), incident("pod", "pod", 0, 12)) == [
        "🔎 Mon 23 Nov: pod down 12 h, pod up 50 %",
        "🔴 pod: down 12 h, once · the day before: all good",
        "✅ alpha and beta: all good",
        "🙈 No data on the jobs for 12 h: left out of the totals.",
    ]
    assert of(blind(PUSHGATEWAY, -1, 25), incident("pod", "pod", 0, 12))[2:] == [
        "🙈 No data on the jobs.",
    ]


def test_a_little_data_on_the_jobs_is_not_called_none() -> None:
    seen = day([incident("heartbeat", "alpha", 23.99, None)], watched=WatchedSince(at(23.98)))
    assert read(DigestFacts([seen], [day()]))[2:] == [
        "✅ beta: all good",
        "🙈 No data on the pod.",
        "🙈 No data on the jobs for 23 h 58 min: left out of the totals.",
    ]


def test_a_day_with_late_runs_is_not_simply_good() -> None:
    story = [event("alpha", 3, "late"), event("alpha", 4, "up")]
    assert of(story=story) == [
        "🕒 Mon 23 Nov: all healthy, but 1 of 2 jobs ran late, pod up 100 %",
        "🕒 alpha: late for 1 h · the day before: all good",
        "✅ beta and pod: all good",
    ]


def test_paused_jobs_are_not_counted_but_listed() -> None:
    story = [event("alpha", -100, "paused")]
    assert of(story=story) == ["✅ Mon 23 Nov: all good, 1 job on time, 1 paused, pod up 100 %"]
    assert "⏸️ alpha: paused" in of(incident("heartbeat", "beta", 3, 4), story=story)
    running = read(DigestFacts([day([incident("heartbeat", "alpha", 3, 4)])], [day([], story)]))
    assert running[1].endswith("the day before: paused")


def away(*bad: Incident, before: Day | None = None, hours: float = 4) -> list[str]:
    return read(DigestFacts([day(bad, maintenance=[planned(4, hours)])], [before or day()]))


def test_downtime_in_maintenance_is_listed_separately_with_its_length() -> None:
    alpha, beta, pod = (
        incident(kind, subject, 5, until)
        for kind, subject, until in (
            ("heartbeat", "alpha", 6),
            ("heartbeat", "beta", 7),
            ("pod", "pod", 5.2),
        )
    )
    assert away(alpha) == [
        "✅ Mon 23 Nov: all good, 2 jobs on time, pod up 100 %",
        "🛠️ alpha (1 h): not up in maintenance; not counted.",
    ]
    assert away(alpha, beta, pod) == [
        "✅ Mon 23 Nov: all good, 2 jobs on time, pod up 100 % outside maintenance",
        "🛠️ beta (2 h), alpha (1 h) and pod (12 min): not up in maintenance; not counted.",
    ]
    assert away(alpha, incident("heartbeat", "beta", 6, 8.5)) == [
        "🔎 Mon 23 Nov: beta down 30 min, pod up 100 %",
        "🔴 beta: down 30 min, once; 2 h in maintenance · the day before: all good",
        "✅ pod: all good",
        "🛠️ alpha (1 h): not up in maintenance; not counted.",
    ]
    assert away(alpha, before=day([alpha]))[1:] == [
        "🛠️ alpha: 1 h in maintenance · the day before: down 1 h, once",
        "✅ beta and pod: all good",
    ]


def test_a_full_day_of_maintenance_is_counted_separately() -> None:
    all_day = DigestFacts([day([incident("heartbeat", "alpha", -1, 25)], maintenance=[planned(-2, 48)])], [day()])
    assert read(all_day) == ["✅ Mon 23 Nov: all good, 1 job on time, 1 in maintenance, pod up 100 %"]
    pod = DigestFacts([day([incident("pod", "pod", -1, 25)], maintenance=[planned(-2, 48)])], [day()])
    assert read(pod)[0] == "✅ Mon 23 Nov: all good, 2 jobs on time, pod in maintenance"
    back = DigestFacts([day([incident("heartbeat", "alpha", 3, 4)])], [all_day.days[0]])
    assert read(back)[1].endswith("the day before: in maintenance")


def test_never_seen_jobs_are_listed() -> None:
    facts = DigestFacts([day(watched=replace(ALWAYS, never=frozenset({"alpha"})))], [day()])
    assert read(facts)[0] == "✅ Mon 23 Nov: all good, 1 job on time, 1 never seen, pod up 100 %"


def test_a_day_with_only_never_seen_jobs_has_no_check_mark() -> None:
    silent = WatchedSince(START, START, frozenset({"alpha", "beta"}))
    assert read(DigestFacts([day(watched=silent)], [day()])) == [
        "🔎 Mon 23 Nov: all good, 2 never seen, pod up 100 %",
    ]
    blind_from_the_start = day(watched=replace(silent, jobs=None))
    assert "no data on the jobs" in read(DigestFacts([blind_from_the_start], [day()]))[0]


def test_a_job_that_was_not_watched_yet_is_not_part_of_the_day() -> None:
    watched = replace(ALWAYS, each={"alpha": START, "beta": at(24)})
    found = day(watched=watched)
    assert [j.subject for j in found.jobs] == ["alpha"]
    assert read(DigestFacts([found], [found]))[0] == "✅ Mon 23 Nov: all good, 1 job on time, pod up 100 %"
    taken_out_and_back = day([], [event("beta", 3, "stale"), event("beta", 4, "up")], watched=watched)
    assert lane(taken_out_and_back, "beta").downs == 1
    bad = read(DigestFacts([day([incident("heartbeat", "beta", 3, 4)])], [found]))
    assert bad[1].endswith("the day before: not watched")


def test_several_targets_are_each_named() -> None:
    bad = replace(day([incident("pod", "pod", 3, 4)]), target="other")
    text = read(DigestFacts([day(), bad], [day(), day()]))
    assert text[:2] == [
        "🔎 Mon 23 Nov: pod (other) down 1 h, pod up 95.83 %",
        "🔴 pod (other): down 1 h, once · the day before: all good",
    ]


def test_late_jobs_are_sorted_by_lateness() -> None:
    story = [event(job, hour, what) for job, hour, what in (("alpha", 3, "late"), ("alpha", 4, "up"))]
    story += [event("beta", 3, "late"), event("beta", 8, "up")]
    assert [line.split(":")[0] for line in of(story=story)[1:3]] == ["🕒 beta", "🕒 alpha"]


def test_open_incidents_are_shown_as_present_state() -> None:
    still = incident("heartbeat", "alpha", 30, None)
    assert read(DigestFacts([day()], [day()], open=[still]))[0] == (
        "🔎 Mon 23 Nov: nothing was down, 1 incident open now, pod up 100 %"
    )
    unsure = read(DigestFacts([day([blind(PUSHGATEWAY, 0, 12)])], [day()], open=[still]))
    assert unsure[0].endswith("no data on the jobs for 12 h, 1 incident open now, pod up 100 %")
    assert not any(line.startswith("🙈") for line in unsure), "it is said above"


def test_an_unfinished_day_is_marked_so_far() -> None:
    assert (
        read(DigestFacts([day(now=at(9))], [day()]))[0]
        == "✅ Mon 23 Nov so far: all good, 2 jobs on time, pod up 100 %"
    )


def test_scripts_get_the_numbers() -> None:
    bad = [incident("heartbeat", "alpha", 3, 4), blind(API, 6, 8), incident("pod", "pod", 8, 19)]
    story = [event("beta", -100, "paused"), event("alpha", 2, BEAT)]
    [data] = digest_reply(DigestFacts([day(bad, story)], [day()]), NOW).data["days"]  # type: ignore[misc]
    assert data == {
        "target": "pod",
        "day": "2026-11-23",
        "uptime": 50.0,
        "pod": {
            "name": "pod",
            "unknown": 7200.0,
            "maintenance": 0.0,
            "down": 39_600.0,
            "late": 0.0,
            "paused": 0.0,
            "times_down": 1,
            "started": [],
        },
        "jobs": [
            {
                "name": "alpha",
                "unknown": 0.0,
                "maintenance": 0.0,
                "down": 3600.0,
                "late": 0.0,
                "paused": 0.0,
                "times_down": 1,
                "runs": 1,
            }
        ],
        "paused": ["beta"],
        "never_seen": [],
        "in_maintenance": [],
    }


def test_down_for_all_of_a_long_day_is_all_day() -> None:
    long = window(date(2027, 10, 31), "Europe/Berlin")
    made = Day("pod", long, DayTrack("pod"), (DayTrack("alpha", (Interval(What.DOWN, long.start, long.end),)),))
    text = read(DigestFacts([made], [made], zone="Europe/Berlin"))
    assert text[:2] == [
        "🔎 Sun 31 Oct: alpha down all day, pod up 100 %",
        "🔴 alpha: down all day · the day before: down all day",
    ]


@pytest.mark.parametrize(
    ("on", "said"),
    [
        (date(2027, 3, 28), "Europe/Berlin, 23 hours: the clock was set forward"),
        (date(2027, 10, 31), "Europe/Berlin, 25 hours: the clock was set back"),
        (date(2027, 10, 30), "Europe/Berlin"),
    ],
)
def test_a_day_with_a_clock_change_shows_its_length(on: date, said: str) -> None:
    made = Day("pod", window(on, "Europe/Berlin"), DayTrack("pod"), ())
    [note] = digest_reply(DigestFacts([made], [made], zone="Europe/Berlin"), NOW).notes
    assert note.endswith(f"00:00, {said}")


def test_without_a_pushgateway_the_digest_covers_the_pod_only() -> None:
    made = Day("pod", OF, DayTrack("pod"), ())
    reply = digest_reply(DigestFacts([made], [made], heartbeats=False), NOW)
    assert reply.headline == "✅ Mon 23 Nov: all good, pod up 100 %"
    assert reply.notes[0].endswith("; of the pod only: no Pushgateway is set")


def test_a_late_digest_says_so() -> None:
    text = read(DigestFacts([day()], [day()], late_by=timedelta(hours=3)))
    assert text[1] == "This digest is 3 h late: it could not be posted at its time."
    assert len(read(DigestFacts([day()], [day()], late_by=timedelta(minutes=9)))) == 2
    assert len(read(DigestFacts([day()], [day()], late_by=timedelta(minutes=1)))) == 1


@pytest.mark.parametrize(
    ("missed", "said"),
    [
        ([date(2026, 11, 22)], "22 November"),
        ([date(2026, 11, 21), date(2026, 11, 22)], "21 and 22 November"),
        ([date(2026, 10, 31), date(2026, 11, 1)], "31 October and 1 November"),
        ([date(2026, 11, n) for n in range(1, 20)], "19 days, from 1 November to 19 November"),
    ],
)
def test_days_without_a_digest_are_named(missed: list[date], said: str) -> None:
    facts = DigestFacts([day()], [day()], missed=missed)
    assert read(facts)[1] == f"No digest was posted for {said}."
    assert read(replace(facts, was_off=True))[1] == f"No digest was posted for {said}: the bot was off."
    last = digest_reply(facts, NOW).buttons[-1]
    assert last.command == f"digest {missed[-1]}"


def test_repairs_name_requester_and_approvers() -> None:
    request = Request("r-1", "U1", at(14), at(15), Snapshot("d", 1), state=RequestState.SUCCEEDED)
    request = replace(request, decisions=(Decision(Choice.APPROVE, "U2", at(14)),))
    repair = RepairRequest(request, "pod", RESTART, outcome=ExecutionResult("ready", at(14.05), seconds=41.0))
    text = read(DigestFacts([day()], [day()], repairs=[repair], zone="Europe/Berlin"))
    assert text[1] == "🔁 Mon 23 Nov, 15:03 CET, Restart of pod, asked by @U1, approved by @U2: ready after 41 s"


def restart(begun: float, ended: float, state: RequestState = RequestState.SUCCEEDED) -> RepairRequest:
    """A restart that was approved and ended then."""
    request = Request("r-1", "U1", at(begun), at(begun + 1), Snapshot("d", 1), state=state)
    request = replace(request, decisions=(Decision(Choice.APPROVE, "U2", at(begun)),))
    return RepairRequest(request, "pod", RESTART, outcome=ExecutionResult("ready", at(ended), seconds=100.0))


DOWN_AT_14 = [event(POD_SUBJECT, 14.01, "down"), event(POD_SUBJECT, 14.04, "ready")]


def test_an_approved_restart_is_no_failure_and_its_downtime_is_said_once() -> None:
    one = day(history=DOWN_AT_14)
    assert read(DigestFacts([one], [day()], repairs=[restart(14, 14.04)])) == [
        "🔎 Mon 23 Nov: nothing was down but for a requested restart, pod up 99.88 %",
        "🔁 pod: restarted on request, once · the day before: all good",
        "✅ alpha and beta: all good",
        "🔁 Mon 23 Nov, 14:02 UTC, Restart of pod, asked by @U1, approved by @U2: ready after 1 min 40 s",
    ]


def test_a_planned_downtime_is_as_long_as_its_card_says() -> None:
    one = day(history=DOWN_AT_14)
    lasts = restarts.timed(one, [restart(14, 14.04)]).pod.total(What.DOWN)
    assert lasts == timedelta(seconds=100)
    assert restarts.timed(one, [restart(14.02, 14.06)]) == one


@pytest.mark.parametrize(
    "repair",
    [restart(13, 14), restart(14, 14.02), restart(14, 14.04, RequestState.FAILED)],
    ids=["down after it", "down long after it", "it failed"],
)
def test_a_downtime_that_no_approved_restart_explains_stays_a_failure(repair: RepairRequest) -> None:
    one = day(history=DOWN_AT_14)
    said = read(DigestFacts([one], [day()], repairs=[repair]))
    assert said[0].startswith("🔎 Mon 23 Nov: pod down 1 min 48 s")
    assert said[1].startswith("🔴 pod: down 1 min 48 s, once ·")


def downs(*hours: tuple[float, float]) -> list[HistoryEvent]:
    return [
        event(POD_SUBJECT, hour, what) for one in hours for hour, what in zip(one, ("down", "ready"), strict=True)
    ]


@pytest.mark.parametrize(
    ("history", "said"),
    [
        (
            downs((14.05, 14.30), (14.50, 14.53)),
            "down 15 min, once; restarted on request, once",
        ),  # it crashed before the restart
        (downs((14.05, 14.53)), "down 28 min 48 s, once"),  # the restart ended a crash
        (
            downs((14.50, 14.53), (14.532, 14.537)),
            "down 18 s, once; restarted on request, once",
        ),  # it crashed after the restart
    ],
)
def test_an_approved_restart_explains_no_other_downtime(history: list[HistoryEvent], said: str) -> None:
    repair = restart(14, 14.53)
    facts = DigestFacts([restarts.timed(day(history=history), [repair])], [day()], repairs=[repair])
    first, second, *_ = read(facts)
    assert first.startswith(f"🔎 Mon 23 Nov: pod {said.split(',')[0]}, pod up ")
    assert second.startswith(f"🔴 pod: {said} · ")


def test_a_requested_restart_of_the_day_before_is_called_so() -> None:
    before = restarts.timed(day(history=DOWN_AT_14), [restart(14, 14.04)])
    text = read(DigestFacts([day([incident("pod", "pod", 4, 5)])], [before]))
    assert text[1] == "🔴 pod: down 1 h, once · the day before: restarted on request, once"


def test_the_picture_s_words_tell_a_crash_from_a_requested_restart() -> None:
    crashed = downs((14.05, 14.30), (14.50, 14.53))
    one = restarts.timed(day(history=crashed), [restart(14, 14.53)])
    assert "pod down for a planned restart 1 min 40 s, down 15 min, restarted" in in_words(one, "UTC")


def test_the_downtime_of_an_egress_repair_lies_before_its_checks() -> None:
    log = EgressLog().began(POD_STEP, at(14.01)).ended(at(14.04), "").began(TEST, at(14.04)).ended(at(14.10), "ok")
    repair = replace(restart(14, 14.10), action=EGRESS_REPAIR, details=with_log({}, log))
    assert restarts.timed(day(history=DOWN_AT_14), [repair]).pod.spans == (
        Interval(What.DOWN, at(14.04) - timedelta(seconds=100), at(14.04), planned=True),
    )


def test_break_glass_is_prominent_with_person_and_reason() -> None:
    request = Request("r-1", "U1", at(14), at(15), Snapshot("d", 1), state=RequestState.SUCCEEDED)
    request = replace(request, decisions=(Decision(Choice.BREAK_GLASS, "U2", at(14), "nobody is awake"),))
    repair = RepairRequest(request, "pod", RESTART, outcome=ExecutionResult("ready", at(14.05), seconds=41.0))
    text = read(DigestFacts([day()], [day()], repairs=[repair], zone="Europe/Berlin"))
    said = "Restart of pod, asked by @U1, break-glass by @U2 (nobody is awake): ready after 41 s"
    assert text[1] == f"💥 Mon 23 Nov, 15:03 CET, {said}"


def test_open_incidents_and_undelivered_messages_are_listed() -> None:
    still = incident("heartbeat", "alpha", 20, None)
    dead = "The alert i-1, for channel C1: channel_not_found"
    text = read(DigestFacts([day([still])], [day()], open=[still], undelivered=[dead]))
    assert any(line.startswith("Still open: 🔴 CRITICAL alpha") for line in text)
    assert "Not delivered: The alert i-1, for channel C1: channel_not_found" in text
