"""What a look leaves out shows nothing new; what it does not leave out is little."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.domain.core.target import Target
from bot.domain.heartbeats.heartbeat import PUSHED, Group
from bot.domain.incidents.job_state import WatchedJob
from bot.services.heartbeats.due import DueJobs, GroupIndex
from tests.services.watchbench import policies

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MIN = timedelta(minutes=1)


def group(job: str, at: float = 1.0, **labels: str) -> Group:
    return Group({"job": job, **labels}, {PUSHED: at})


def due_jobs(*jobs: str) -> tuple[DueJobs, dict[str, WatchedJob]]:
    """Nobody is awake any more."""
    made = DueJobs(Target(heartbeats=policies(*jobs)))
    found = {job.job: job for job in made.due(NOW)}
    for job in found.values():
        made.postpone(job, None)
    return made, found


def test_only_jobs_whose_groups_came_changed_or_went_are_touched() -> None:
    index, a, b, c = GroupIndex(), group("a"), group("b_x"), group("c")
    assert set(index.update([a, b, c])) == {"a", "b-x", "c"}
    assert not index.update([c, b, a]), "their order says nothing"
    newer = group("b_x", 2.0)
    assert set(index.update([newer, a])) == {"b-x", "c"}
    assert (index.of("b-x"), index.of("c"), index.of("a")) == ([newer], (), [a])


def test_a_job_keeps_its_other_groups_when_one_changes() -> None:
    index, desk, web = GroupIndex(), group("a", context="desk"), group("a", context="web")
    index.update([desk, web])
    newer = group("a", 2.0, context="desk")
    assert index.update([newer, web]) == {"a"}
    assert index.of("a") == [web, newer]


def test_all_are_looked_at_first_and_then_those_that_are_woken_or_due() -> None:
    made, jobs = due_jobs("a", "b", "c")
    made.wake(["b", "nobody-watches-it"])
    assert made.due(NOW) == [jobs["b"]]
    made.postpone(jobs["b"], NOW + MIN)
    assert made.due(NOW) == []
    assert made.due(NOW + MIN) == [jobs["b"]], "the boundary is the deadline's"
    made.wake(None)
    assert made.due(NOW) == [jobs["b"], jobs["a"], jobs["c"]]


def test_one_that_is_woken_early_is_looked_at_at_its_earliest_deadline_all_the_same() -> None:
    made, jobs = due_jobs("a")
    for until in (9, 3, 6):
        made.wake(["a"])
        made.postpone(jobs["a"], NOW + until * MIN)
    assert made.due(NOW + 2 * MIN) == []
    assert made.due(NOW + 3 * MIN) == [jobs["a"]]
    made.postpone(jobs["a"], NOW + 6 * MIN)
    assert made.due(NOW + 6 * MIN) == [jobs["a"]]


def test_what_is_kept_does_not_grow_with_the_looks() -> None:
    made, jobs = due_jobs("a", "b")
    for minute in range(10_000):
        made.wake(["a"])
        for job in made.due(NOW + minute * MIN):
            made.postpone(job, NOW + (minute + 600) * MIN)
    assert made.planned <= len(jobs)
