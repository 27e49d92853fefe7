"""The digest: what a day was like, to the second, and how that reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import digest
from bot.domain.alerting import AlertRules, Incident, Kind, Problem, decide
from bot.domain.approval import Choice, Decision, Request, Snapshot, State
from bot.domain.digest import Day, Lane, Span, What, window
from bot.domain.digest_card import Facts
from bot.domain.digest_card import digest as digest_reply
from bot.domain.history import BEAT, Happening
from bot.domain.repair import Action, Case, Delivery, Outcome
from bot.domain.reply import plain
from bot.domain.target import HeartbeatPolicy, Target

DAY = date(2026, 11, 23)
START = datetime(2026, 11, 1, tzinfo=UTC)
OF = window(DAY, "UTC")
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TARGET = Target(
    name="pod", heartbeats=tuple(HeartbeatPolicy(job=j, stale_after=timedelta(hours=1)) for j in ("alpha", "beta"))
)


def at(hour: float) -> datetime:
    """That hour of the day."""
    return OF.start + timedelta(hours=hour)


def incident(kind: Kind, subject: str, since: float, until: float | None, severity: Any = "critical") -> Incident:
    problem = Problem(f"{kind.value}:{subject}", kind, "pod", subject, "bad", severity, at(since))
    made = decide(None, problem, AlertRules(), at(since))
    assert made is not None
    if until is None:
        return made
    gone = decide(made, None, AlertRules(), at(until))
    assert gone is not None
    over = decide(gone, None, AlertRules(), at(until) + timedelta(hours=1))
    assert over is not None
    return over


def happened(subject: str, hour: float, what: str) -> Happening:
    return Happening("" if subject == "source" else "pod", subject, at(hour), what)


def day(
    incidents: Sequence[Incident] = (),
    history: Sequence[Happening] = (),
    now: datetime = NOW,
    since: datetime | None = START,
) -> Day:
    return digest.day(TARGET, OF, incidents, history, now, since)


def lane(of: Day, subject: str) -> Lane:
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
def test_a_local_day_is_as_long_as_it_is(day_: date, zone: str, hours: int) -> None:
    assert window(day_, zone).length == timedelta(hours=hours)


def test_yesterday_is_the_reader_s() -> None:
    late = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    assert digest.yesterday(late, "UTC") == date(2026, 11, 23)
    assert digest.yesterday(late, "Asia/Tokyo") == date(2026, 11, 24)


def test_an_empty_day_is_good() -> None:
    empty = day()
    assert empty.good
    assert empty.uptime == 100.0


def test_a_downtime_counts_from_its_deadline_to_its_recovery() -> None:
    down = lane(day([incident(Kind.HEARTBEAT, "alpha", 3, 5.5)]), "alpha")
    assert (down.total(What.DOWN), down.downs) == (timedelta(hours=2.5), 1)


def test_what_reaches_into_the_day_is_cut_at_its_ends() -> None:
    down = lane(day([incident(Kind.HEARTBEAT, "alpha", -30, 2)]), "alpha")
    assert down.total(What.DOWN) == timedelta(hours=2)
    still = lane(day([incident(Kind.HEARTBEAT, "alpha", 20, None)]), "alpha")
    assert still.total(What.DOWN) == timedelta(hours=4)


def test_the_same_time_in_the_history_and_an_incident_is_counted_once() -> None:
    story = [happened("alpha", 3, "stale"), happened("alpha", 5, "up")]
    down = lane(day([incident(Kind.HEARTBEAT, "alpha", 3, 5)], story), "alpha")
    assert (down.total(What.DOWN), down.downs) == (timedelta(hours=2), 1)


def test_late_is_no_downtime_and_ends_where_it_is_down() -> None:
    story = [happened("alpha", 3, "late"), happened("alpha", 4, "stale"), happened("alpha", 5, "up")]
    found = lane(day([], story), "alpha")
    assert (found.total(What.LATE), found.total(What.DOWN)) == (timedelta(hours=1), timedelta(hours=1))


def test_heartbeats_are_runs_of_the_day() -> None:
    story = [happened("alpha", hour, BEAT) for hour in (-1, 0, 12, 23.99, 24)]
    assert len(lane(day([], story), "alpha").runs) == 3


def test_time_of_which_nothing_is_known_is_not_healthy() -> None:
    blind = day([incident(Kind.BLIND, "the Pushgateway", 6, 12)])
    assert not blind.good
    assert blind.unknown == timedelta(hours=6)
    assert blind.uptime == 100.0, "of the known time"
    down_meanwhile = day([incident(Kind.BLIND, "x", 0, 12), incident(Kind.POD, "pod", 6, 18)])
    assert down_meanwhile.uptime == 50.0
    assert day([incident(Kind.BLIND, "x", -1, 25)]).uptime is None


def test_before_the_first_look_nothing_is_known() -> None:
    assert day(since=at(6)).unknown == timedelta(hours=6)
    assert day(since=None).uptime is None
    assert not day(since=None).good


def test_a_bot_that_was_off_could_not_see() -> None:
    assert day([], [happened("source", 2, "off"), happened("source", 5, "ok")]).unknown == timedelta(hours=3)


def test_the_pod_is_down_from_when_it_was_not_ready() -> None:
    found = day([], [happened("pod", 6, "down"), happened("pod", 7.2, "ready")])
    assert found.uptime == pytest.approx(95.0)
    assert lane(found, "pod").downs == 1


def test_today_ends_now() -> None:
    found = day([incident(Kind.HEARTBEAT, "alpha", 3, None)], now=at(4))
    assert lane(found, "alpha").total(What.DOWN) == timedelta(hours=1)
    assert found.window.end == at(4)


SPANS = st.lists(st.tuples(st.floats(-5, 30), st.floats(0.01, 10), st.sampled_from(list(What))), max_size=12)


@given(SPANS)
def test_no_time_is_counted_twice(given_: list[tuple[float, float, What]]) -> None:
    spans = [Span(what, at(start), at(start + hours)) for start, hours, what in given_]
    merged = digest._merged(spans)
    for what in What:
        mine = [s for s in merged if s.what is what]
        assert all(a.end < b.start for a, b in pairwise(mine))
    late = [s for s in merged if s.what is What.LATE]
    down = [s for s in merged if s.what is What.DOWN]
    assert not any(a.start < b.end and b.start < a.end for a in late for b in down)


# How it reads


def read(facts: Facts) -> list[str]:
    reply = digest_reply(facts, NOW)
    return [reply.headline, *map(plain, reply.body), *(f"{f.label}: {plain(f.value)}" for f in reply.facts)]


def test_all_good_is_one_line() -> None:
    assert read(Facts([day()], [day()])) == ["✅ Mon 23 Nov: all good, 2 jobs on time, pod up 100 %"]


def test_the_worst_is_first_and_beside_the_day_before() -> None:
    bad = [incident(Kind.HEARTBEAT, "alpha", 3, 4), incident(Kind.HEARTBEAT, "beta", 5, 10)]
    before = day([incident(Kind.HEARTBEAT, "alpha", 1, 1.5)])
    assert read(Facts([day(bad)], [before])) == [
        "🔎 Mon 23 Nov: beta down 5 h and 1 other, pod up 100 %",
        "🔴 beta: down 5 h, once · the day before: all good",
        "🔴 alpha: down 1 h, once · the day before: down 30 min, once",
        "✅ pod: all good",
    ]


def test_a_day_before_that_was_alike_for_all_is_told_once() -> None:
    bad = [incident(Kind.HEARTBEAT, "alpha", 3, 4), incident(Kind.HEARTBEAT, "beta", 5, 10)]
    assert read(Facts([day(bad)], [day()]))[1:] == [
        "🔴 beta: down 5 h, once",
        "🔴 alpha: down 1 h, once",
        "The day before, each of them: all good",
        "✅ pod: all good",
    ]


def test_a_day_before_of_which_nothing_is_known_was_not_good() -> None:
    bad, unknown = day([incident(Kind.HEARTBEAT, "alpha", 3, 4)]), day(since=None)
    assert read(Facts([bad], [unknown]))[1] == "🔴 alpha: down 1 h, once · the day before: not known"


def test_a_share_is_never_rounded_up_to_all() -> None:
    text = read(Facts([day([incident(Kind.POD, "pod", 6, 6.001)])], [day()]))[0]
    assert "pod up 99.99 %" in text


def test_unknown_time_is_said() -> None:
    text = read(Facts([day([incident(Kind.BLIND, "x", 6, 8)])], [day()]))
    assert text == ["🔎 Mon 23 Nov: all good but for 2 h of which nothing is known, pod up 100 %"]
    bad = [incident(Kind.BLIND, "x", 6, 8), incident(Kind.HEARTBEAT, "alpha", 3, 4)]
    assert "🙈 For 2 h nothing is known; that time counts for nothing." in read(Facts([day(bad)], [day()]))
    gone = day([incident(Kind.BLIND, "x", -1, 25)])
    assert read(Facts([gone], [gone]))[0] == "🔎 Mon 23 Nov: nothing is known of it"


def test_a_late_one_says_so() -> None:
    text = read(Facts([day()], [day()], late_by=timedelta(hours=3)))
    assert text[1] == "This digest is 3 h late: it could not be posted at its time."
    assert len(read(Facts([day()], [day()], late_by=timedelta(minutes=9)))) == 1


def test_repairs_name_who_asked_and_who_approved() -> None:
    request = Request("r-1", "U1", at(14), at(15), Snapshot("d", 1), state=State.SUCCEEDED)
    request = replace(request, decisions=(Decision(Choice.APPROVE, "U2", at(14)),))
    case = Case(request, "pod", Action.RESTART, outcome=Outcome("ready", at(14.05), seconds=41.0))
    text = read(Facts([day()], [day()], cases=[case], zone="Europe/Berlin"))
    assert text[1] == "🔁 15:03 Restart of pod, asked by @U1, approved by @U2: ready after 41 s"


def test_broken_glass_is_said_loudly_with_who_and_why() -> None:
    request = Request("r-1", "U1", at(14), at(15), Snapshot("d", 1), state=State.SUCCEEDED)
    request = replace(request, decisions=(Decision(Choice.BREAK_GLASS, "U2", at(14), "nobody is awake"),))
    case = Case(request, "pod", Action.RESTART, outcome=Outcome("ready", at(14.05), seconds=41.0))
    text = read(Facts([day()], [day()], cases=[case], zone="Europe/Berlin"))
    assert (
        text[1] == "💥 15:03 Restart of pod, asked by @U1, GLASS BROKEN by @U2 (nobody is awake): ready after 41 s"
    )


def test_what_is_still_so_and_what_was_never_delivered_is_said() -> None:
    still = incident(Kind.HEARTBEAT, "alpha", 20, None)
    dead = Delivery("incident:i-1", "C1", error="channel_not_found")
    text = read(Facts([day([still])], [day()], open=[still], undelivered=[dead]))
    assert any(line.startswith("Still open: 🔴 CRITICAL alpha") for line in text)
    assert "Not delivered: incident:i-1: channel_not_found" in text
