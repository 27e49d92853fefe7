"""What a repair will cost: ranges that hold, what makes an approval void, and how the card says it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals.forecast import (
    DownFor,
    Forecast,
    Loss,
    cost,
    facts,
    held,
    labelled,
    newly_warned,
    range_of,
    worse,
)
from bot.domain.core.object_diff import FieldChange, deletion

RESTARTED = "spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]"
MARKED = "spec.template.metadata.annotations[agentpod.dev/approval]"


def sessions(*things: str, **more: object) -> Loss:
    return Loss("sessions", "Agent sessions that end", things, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("approved", "now", "said"),
    [
        (sessions("pid 1: claude"), sessions("pid 1: claude"), ()),
        (sessions("pid 1: claude"), sessions(), ()),
        (sessions("/repos/a: 1 file"), sessions("/repos/a: 7 files"), ()),
        (
            sessions("pid 1: claude"),
            sessions("pid 1: claude", "pid 9: claude --print"),
            ("Agent sessions that end: 1 more (pid 9: claude --print)",),
        ),
        (
            sessions(),
            sessions("a", "b", "c"),
            ("Agent sessions that end: 3 more (a; b; …)",),
        ),
        (
            sessions("pid 1: claude"),
            sessions("pid 2: claude"),
            ("Agent sessions that end: 1 more (pid 2: claude)",),
        ),
        (sessions(unknown="no answer"), sessions("a"), ()),
        (sessions("a"), sessions(unknown="no answer"), ()),
        (sessions("a", more=True), sessions("a", "b"), ()),
    ],
)
def test_only_what_nobody_approved_is_worse(approved: Loss, now: Loss, said: tuple[str, ...]) -> None:
    assert worse(Forecast(losses=(approved,)), [now]) == said


def test_an_entry_that_was_not_on_the_card_is_not_compared() -> None:
    assert worse(Forecast(losses=(sessions(),)), [Loss("other", "Other", ("a",))]) == ()


@given(st.lists(st.floats(0.1, 4000.0), min_size=1, max_size=20))
def test_the_range_contains_all_that_it_is_drawn_from(past: list[float]) -> None:
    found = range_of(past)
    assert found is not None
    assert all(map(found.holds, past))
    assert found.least >= 0


def test_without_a_past_nothing_is_predicted() -> None:
    assert range_of([]) is None
    assert ("Down for", "not known: no restart like this one is on record") in facts(Forecast(restarts=True))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (41.0, "30 s to 1 min, which held"),
        (90.0, "30 s to 1 min; it took longer"),
        (5.0, "30 s to 1 min; it took less"),
        (None, ""),
    ],
)
def test_afterwards_it_is_said_whether_the_prediction_held(seconds: float | None, said: str) -> None:
    assert held(Forecast(down_for=DownFor(30.0, 60.0, 12)), seconds) == said


def test_a_range_from_nothing_is_said_alike_before_and_after() -> None:
    made = Forecast(restarts=True, down_for=range_of([3.1]))
    assert dict(facts(made))["Down for"].startswith("up to 8 s expected")
    assert held(made, 12.0) == "up to 8 s; it took longer"


def test_a_title_with_a_colon_stays_whole() -> None:
    jobs = Loss("jobs", "Jobs: that end")
    approved = Forecast(losses=(jobs,))
    [line] = worse(approved, [replace(jobs, things=("pid 9: run",))])
    assert labelled(line, approved) == ("Jobs: that end", "1 more (pid 9: run)")
    assert labelled(line, Forecast()) == ("Jobs", "that end: 1 more (pid 9: run)")


def test_nothing_is_said_of_a_prediction_that_nobody_made() -> None:
    assert held(Forecast(), 41.0) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            [
                FieldChange("Deployment agent", RESTARTED, None, "now"),
                FieldChange("Deployment agent", MARKED, None, "r-1"),
            ],
            "accepted; it only changes the restart annotation of Deployment agent",
        ),
        ([deletion("Pod", "agent-1")], "accepted; Pod agent-1 is deleted"),
        (
            [FieldChange("Deployment agent", "spec.template.spec.containers[kali].image", "a:1", "a:2")],
            "accepted; ~ spec.template.spec.containers[kali].image: a:1 → a:2, in Deployment agent",
        ),
        (
            [
                FieldChange("Secret s", "data.TOKEN", "(hidden)", "(hidden)"),
                FieldChange("Secret s", "metadata.annotations[agentpod.dev/approval]", None, "r-1"),
            ],
            "accepted; ~ data.TOKEN (hidden), in Secret s",
        ),
    ],
)
def test_the_dry_run_is_said_in_one_line(changes: list[FieldChange], said: str) -> None:
    assert facts(Forecast(changes=tuple(changes))) == [("Dry run", said)]


@pytest.mark.parametrize(
    ("past", "said"), [([41.0], "19 s to 1 min 23 s"), ([2.1], "up to 6 s"), ([40.0] * 12, "31 s to 51 s")]
)
def test_the_range_is_said_in_whole_seconds(past: list[float], said: str) -> None:
    assert str(range_of(past)) == said


@pytest.mark.parametrize(
    ("past", "said"),
    [
        ([3.1], "up to 8 s expected (the last restart took 3.1 s)"),
        ([3.1, 3.1], "up to 8 s expected (the last 2 restarts took 3.1 s)"),
        ([2.9, 3.1], "up to 8 s expected (the last 2 restarts took 2.9 s to 3.1 s)"),
        ([59.96, 60.04], "28 s to 2 min 2 s expected (the last 2 restarts took 1 min)"),
        ([75.0, 41.0], "19 s to 2 min 31 s expected (the last 2 restarts took 41 s to 1 min 15 s)"),
    ],
)
def test_the_range_is_said_with_what_it_comes_from(past: list[float], said: str) -> None:
    assert ("Down for", said) in facts(Forecast(restarts=True, down_for=range_of(past)))


def test_what_is_lost_begins_with_how_much() -> None:
    found = dict(facts(Forecast(losses=(sessions("a", "b"), Loss("w", "Work", ("/r: 1 file",)), Loss("x", "X")))))
    assert found == {"Agent sessions that end": "2 (a; b)", "Work": "/r: 1 file", "X": "none"}


def test_the_dialog_says_how_much_and_how_long() -> None:
    made = Forecast(losses=(sessions("a", "b"), Loss("w", "Work")), down_for=DownFor(30.0, 60.0, 12))
    assert cost(made) == "Agent sessions that end: 2. Expected to be down for 30 s to 1 min."
    assert cost(Forecast()) == ""


def test_many_changes_are_counted() -> None:
    changes = tuple(FieldChange("Deployment agent", f"spec.a{n}", "1", "2") for n in range(9))
    [(_, said)] = facts(Forecast(changes=changes))
    assert said.endswith("~ spec.a5: 1 → 2, and 3 more, in Deployment agent")


def test_a_dry_run_that_was_not_possible_says_why() -> None:
    assert facts(Forecast(untried="no answer in 3 s")) == [("Dry run", "not possible: no answer in 3 s")]


def test_a_pod_that_is_spared_is_not_down() -> None:
    shown = dict(facts(Forecast(restarts=True, stuck="no pod can be created: quota", spared=True)))
    assert shown["Down for"] == "no time: the old pod keeps running"
    both = Forecast(restarts=True, stuck="quota", no_cron="Will stop every cron job", spared=True)
    assert dict(facts(both))["Down for"] == "until the cause above is fixed"


def test_a_doubt_warns_and_leaves_the_prediction() -> None:
    made = Forecast(restarts=True, doubt="no pod can be created: webhook", down_for=DownFor(30.0, 60.0, 12))
    assert made.warnings == ("⚠️ May not help: no pod can be created: webhook",)
    assert dict(facts(made))["Down for"].startswith("30 s to 1 min expected")


@pytest.mark.parametrize(
    ("approved", "now", "said"),
    [
        (Forecast(), Forecast(stuck="quota"), ("Won't help: quota",)),
        (Forecast(stuck="quota"), Forecast(stuck="webhook"), ()),
        (Forecast(doubt="webhook"), Forecast(stuck="webhook"), ()),
        (Forecast(), Forecast(no_cron="Will stop every cron job: x"), ("Will stop every cron job: x",)),
        (Forecast(no_cron="Won't start"), Forecast(no_cron="Will stop every cron job"), ()),
        (Forecast(stuck="quota"), Forecast(), ()),
        (Forecast(), Forecast(doubt="webhook"), ()),
    ],
)
def test_only_a_new_warning_voids(approved: Forecast, now: Forecast, said: tuple[str, ...]) -> None:
    assert newly_warned(approved, now) == said
