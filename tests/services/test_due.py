"""Only jobs that may have changed are evaluated, and the list of planned evaluations stays small."""

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
    """A `DueJobs` with these jobs, all postponed until they are woken."""
    made = DueJobs(Target(heartbeats=policies(*jobs)))
    found = {job.job: job for job in made.due(NOW)}
    for job in found.values():
        made.postpone(job, None)
    return made, found


def test_only_jobs_with_new_changed_or_removed_groups_are_returned() -> None:
    index, a, b, c = GroupIndex(), group("a"), group("b_x"), group("c")
    assert set(index.update([a, b, c])) == {"a", "b-x", "c"}
    assert not index.update([c, b, a]), "the order doesn't matter"
    newer = group("b_x", 2.0)
    assert set(index.update([newer, a])) == {"b-x", "c"}
    assert (index.of("b-x"), index.of("c"), index.of("a")) == ([newer], (), [a])


def test_job_keeps_its_other_groups_when_one_changes() -> None:
    index, desk, web = GroupIndex(), group("a", context="desk"), group("a", context="web")
    index.update([desk, web])
    newer = group("a", 2.0, context="desk")
    assert index.update([newer, web]) == {"a"}
    assert index.of("a") == [web, newer]


def test_all_jobs_are_due_first_and_then_woken_or_planned_ones() -> None:
    made, jobs = due_jobs("a", "b", "c")
    made.wake(["b", "nobody-watches-it"])
    assert made.due(NOW) == [jobs["b"]]
    made.postpone(jobs["b"], NOW + MIN)
    assert made.due(NOW) == []
    assert made.due(NOW + MIN) == [jobs["b"]], "the boundary is the deadline's"
    made.wake(None)
    assert made.due(NOW) == [jobs["b"], jobs["a"], jobs["c"]]


def test_job_woken_early_stays_due_at_its_earliest_deadline() -> None:
    made, jobs = due_jobs("a")
    for until in (9, 3, 6):
        made.wake(["a"])
        made.postpone(jobs["a"], NOW + until * MIN)
    assert made.due(NOW + 2 * MIN) == []
    assert made.due(NOW + 3 * MIN) == [jobs["a"]]
    made.postpone(jobs["a"], NOW + 6 * MIN)
    assert made.due(NOW + 6 * MIN) == [jobs["a"]]


def test_planned_evaluations_do_not_accumulate() -> None:
    made, jobs = due_jobs("a", "b")
    for minute in range(10_000):
        made.wake(["a"])
        for job in made.due(NOW + minute * MIN):
            made.postpone(job, NOW + (minute + 600) * MIN)
    assert made.planned <= len(jobs)
