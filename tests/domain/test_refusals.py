"""Repeated refusals: the first is recorded, the rest is summed, and the number of records is bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.domain.core.refusals import KINDS_EACH, MOST, VARIOUS, WINDOW, Refusals

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


def test_the_first_refusal_is_recorded_and_repetitions_are_summed() -> None:
    refusals = Refusals()
    firsts = [refusals.first("U1", "logs", "logs", "no rule", NOW + timedelta(seconds=n)) for n in range(100)]
    assert firsts == [True] + [False] * 99
    assert list(refusals.over(NOW + WINDOW - timedelta(seconds=1))) == []
    [found] = refusals.over(NOW + WINDOW)
    assert (found.who, found.subject) == ("U1", "logs")
    assert found.data == {
        "rule": "no rule",
        "more": 99,
        "since": "2026-03-01T03:00:00+00:00",
        "until": "2026-03-01T03:01:39+00:00",
    }
    assert refusals.first("U1", "logs", "logs", "no rule", NOW + WINDOW), "a new time begins"


def test_a_single_refusal_leaves_no_sum() -> None:
    refusals = Refusals()
    assert refusals.first("U1", "logs", "logs", "no rule", NOW)
    assert list(refusals.over(NOW, all_=True)) == []


def test_people_and_kinds_are_counted_separately_up_to_a_limit() -> None:
    refusals = Refusals()
    assert all(refusals.first(who, kind, kind, "r", NOW) for who in ("U1", "U2") for kind in ("logs", "restart"))
    recorded = sum(refusals.first("U3", f"kind {n}", "x", "r", NOW) for n in range(500))
    assert recorded == KINDS_EACH
    [found] = refusals.over(NOW, all_=True)
    assert (found.who, found.subject, found.more) == ("U3", VARIOUS, 500 - KINDS_EACH)


def test_the_number_of_people_is_bounded() -> None:
    refusals = Refusals()
    recorded = sum(refusals.first(f"U{n}", "logs", "logs", "r", NOW) for n in range(MOST + 500))
    assert recorded == MOST
    assert sum(found.more for found in refusals.over(NOW, all_=True)) == 500


def test_an_unrecorded_refusal_is_recorded_the_next_time() -> None:
    refusals = Refusals()
    refusals.first("U1", "approve r-1 one-vote", "r-1", "one-vote", NOW)
    refusals.unrecorded("U1", "approve r-1")
    assert refusals.first("U1", "approve r-1 one-vote", "r-1", "one-vote", NOW)


def test_a_clock_set_back_ends_the_sum() -> None:
    refusals = Refusals()
    for _ in range(2):
        refusals.first("U1", "logs", "logs", "r", NOW)
    assert len(list(refusals.over(NOW - timedelta(hours=1)))) == 1


def test_sums_that_could_not_be_recorded_are_due_again() -> None:
    refusals = Refusals()
    for _ in range(3):
        refusals.first("U1", "logs", "logs", "r", NOW)
    later = NOW + WINDOW
    refusals.keep(list(refusals.over(later)))
    assert not refusals.first("U1", "logs", "logs", "r", later)
    assert [found.more for found in refusals.over(later)] == [3]
