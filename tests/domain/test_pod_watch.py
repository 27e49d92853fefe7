"""The pod's problems, counting its restarts, and excusing its jobs' missed deadlines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.core.workload import Container, Pod, Termination
from bot.domain.health import restarts
from bot.domain.health.restarts import Restarts
from bot.domain.incidents import downtime, pod_watch
from bot.domain.incidents.downtime import Downtime
from bot.domain.incidents.problem import COMMAND
from tests.pods import conditions
from tests.times import utc

NINE = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MIN = timedelta(minutes=1)
TARGET = Target(node=None)
TEN_MINUTES = HeartbeatPolicy(job="alpha", stale_after=10 * MIN)


def pod(
    count: int = 0,
    ended: datetime | None = None,
    why: str = "Error",
    *,
    state: str = "running",
    uid: str = "uid-1",
) -> Pod:
    """A pod created at nine, whose container was restarted that many times."""
    last = Termination(why, 137 if why == "OOMKilled" else 1, ended) if ended else None
    waits = None if state == "running" else "CrashLoopBackOff"
    container = Container(
        "kali", "image:1", None, state == "running", count, state, waits, started_at=NINE, last_termination=last
    )
    shown = conditions([container])
    return Pod("pod-1", uid, "Running", "node-1", created_at=NINE, containers=(container,), conditions=shown)


def counted(*looks: tuple[float, int, str]) -> Restarts:
    """The series after restarts at those minutes, with the count and the reason of each."""
    known = restarts.updated(None, [pod()], NINE)
    for minutes, count, why in looks:
        at = NINE + minutes * MIN
        known = restarts.updated(known, [pod(count, at, why)], at)
    return known


def found(known: Restarts, minutes: float, count: int = 1, why: str = "Error") -> tuple[str, str] | None:
    """Severity and summary of the problem at that time."""
    now = NINE + minutes * MIN
    problem = pod_watch.restarting(TARGET, [pod(count, known.last_at, why)], known, now)
    return (problem.severity, utc(problem.summary, NINE)) if problem else None


# The pod


def test_a_pod_that_runs_after_a_restart_has_no_problem() -> None:
    assert pod_watch.problem(TARGET, [pod(3, NINE)], NINE, hold=2 * MIN) is None


def test_the_alert_about_a_missing_secret_has_the_command_that_creates_it() -> None:
    said = 'secret "agent-ssh-keys" not found'
    container = Container("kali", "image:1", state="waiting", reason="CreateContainerConfigError", message=said)
    shown = replace(pod(), phase="Pending", containers=(container,), conditions=conditions([container]))
    problem = pod_watch.problem(Target(node=None, ssh={"secret": "agent-ssh-keys"}), [shown], NINE, hold=MIN)
    assert problem is not None
    facts = dict(problem.facts)
    assert "everybody's public keys" in facts["What to do"]
    assert facts[COMMAND].startswith("kubectl create secret generic agent-ssh-keys ")


def test_what_each_restart_looks_like_is_no_cause() -> None:
    def passing(*pods: Pod) -> bool:
        problem = pod_watch.problem(TARGET, pods, NINE, hold=MIN)
        assert problem is not None
        return problem.passing

    unready = Container("kali", "image:1", None, False, 0, "running", None, started_at=NINE)
    assert passing(replace(pod(), containers=(unready,), conditions=conditions([unready])))
    assert passing(replace(pod(), deleting=True, delete_by=NINE + MIN)), "the old pod ends"
    assert passing(), "there is none"
    assert passing(replace(pod(), phase="Pending", node=None, containers=(), conditions=())), "no node yet"
    assert not passing(pod(3, NINE, state="waiting")), "it crashes"


def test_a_crash_needs_longer_to_resolve_than_other_problems() -> None:
    looped = pod_watch.problem(TARGET, [pod(3, NINE, state="waiting")], NINE, hold=2 * MIN, keep=5 * MIN)
    waits = pod_watch.problem(TARGET, [pod(state="waiting")], NINE, hold=2 * MIN, keep=5 * MIN)
    assert looped is not None
    assert waits is not None
    assert (looped.severity, looped.keep, waits.keep) == ("critical", 5 * MIN, timedelta())


@pytest.mark.parametrize(
    ("reason", "helps"),
    [("CrashLoopBackOff", True), ("CreateContainerConfigError", False), ("ImagePullBackOff", False)],
)
def test_a_restart_is_offered_only_where_a_new_pod_could_start(reason: str, helps: bool) -> None:
    one = pod(state="waiting")
    [kali] = one.containers
    stuck = replace(one, containers=(replace(kali, reason=reason, message='secret "agent-ssh-keys" not found'),))
    found = pod_watch.problem(TARGET, [stuck], NINE, hold=2 * MIN)
    assert found is not None
    assert found.restart is helps


# Restarts


def test_the_third_restart_is_a_problem() -> None:
    two, three = (
        counted((1, 1, "Error"), (20, 2, "Error")),
        counted((1, 1, "Error"), (20, 2, "Error"), (50, 3, "Error")),
    )
    assert found(two, 20) is None
    assert found(three, 50) == (
        "warning",
        "kali restarted 3 times, last at 09:50 UTC (Error, exit code 1)",
    )


def test_restarts_more_than_an_hour_apart_are_separate_series() -> None:
    assert found(counted((1, 1, "Error"), (62, 2, "Error"), (123, 3, "Error")), 123) is None


def test_an_oom_kill_is_a_problem_and_the_second_is_critical() -> None:
    once, twice = counted((1, 1, "OOMKilled")), counted((1, 1, "OOMKilled"), (30, 2, "OOMKilled"))
    assert found(once, 1, 1, "OOMKilled") == ("warning", "kali hit its memory limit at 09:01 UTC")
    assert found(twice, 30, 2, "OOMKilled") == (
        "critical",
        "kali hit its memory limit 2 times, last at 09:30 UTC",
    )


def test_a_crash_after_an_oom_kill_is_not_called_an_oom_kill() -> None:
    both = counted((1, 1, "OOMKilled"), (30, 2, "Error"))
    said = "kali restarted 2 times, 1 of them OOM-killed, last at 09:30 UTC (Error, exit code 1)"
    assert found(both, 30, 2) == ("warning", said)


def test_a_restart_series_ends_after_15_minutes() -> None:
    killed = counted((1, 1, "OOMKilled"))
    assert found(killed, 15.9, 1, "OOMKilled") is not None
    assert found(killed, 16, 1, "OOMKilled") is None


def test_a_new_pod_starts_a_new_series_and_unseen_restarts_do_not_count() -> None:
    known = counted((1, 2, "Error"))
    assert restarts.updated(known, [pod(0, uid="uid-2")], NINE + 5 * MIN).times == 0
    day = NINE + timedelta(days=1)
    assert restarts.updated(None, [pod(40, day - 5 * MIN)], day).times == 1, "only its last is known to be recent"
    assert restarts.updated(None, [pod(40, day - 65 * MIN)], day).times == 0


def test_restarts_round_trip_and_invalid_text_is_none() -> None:
    known = counted((1, 2, "OOMKilled"))
    assert restarts.from_json(restarts.to_json(known)) == known
    assert restarts.from_json("") is None
    assert known.cleared().times == 0
    assert restarts.updated(known.cleared(), [pod(2, NINE + MIN)], NINE + 2 * MIN).times == 0, "not counted again"


# Excuses


def excused(
    spells: list[tuple[float, float | None]], now: float, missed: float = 10, unseen: float | None = None
) -> str:
    """The excuse of a job that was last seen at nine; times in minutes after nine."""
    at = lambda minutes: NINE + minutes * MIN  # noqa: E731 - it is short
    times = [Downtime(at(down), None if ready is None else at(ready)) for down, ready in spells]
    said = downtime.excuse(times, TEN_MINUTES, at(missed), at(now), None if unseen is None else at(unseen))
    return utc(said, NINE)


@pytest.mark.parametrize(
    ("spells", "now", "says"),
    [
        ([], 11, ""),
        ([(5, 9)], 11, "the pod was down until 09:09 UTC, and the job has until 09:19 UTC to be back"),
        ([(5, 9)], 18.9, "the pod was down until 09:09 UTC, and the job has until 09:19 UTC to be back"),
        ([(5, 9)], 19, ""),
        ([(5, None)], 500, "the pod is not ready"),
        ([(10.5, None)], 11, "the pod is not ready"),
        ([(10.6, None)], 11, ""),
        ([(5, 9), (12, None)], 12, "the pod is not ready"),
        ([(5, 9), (12, None)], 90, "the pod is not ready"),
        ([(5, 9), (12, 20)], 29, "the pod was down until 09:20 UTC, and the job has until 09:30 UTC to be back"),
        ([(5, 9), (12, 20)], 30, ""),
        ([(5, 9), (19, None)], 20, ""),
        ([(-30, -20), (12, None)], 12, ""),
    ],
)
def test_a_job_is_excused_during_a_downtime_and_one_period_after(
    spells: list[tuple[float, float | None]], now: float, says: str
) -> None:
    assert excused(spells, now) == says


def test_an_unreadable_pod_excuses_jobs_for_a_limited_time() -> None:
    said = "the pod was not ready when it was last seen; that counts until 09:17 UTC"
    assert excused([(5, None)], 16, unseen=7) == said
    assert excused([(5, None)], 17, unseen=7) == ""


def test_downtimes_round_trip_and_are_bounded() -> None:
    spells: tuple[Downtime, ...] = ()
    for n in range(100):
        spells = downtime.updated(spells, [pod(state="waiting")], NINE + 2 * n * MIN)
        spells = downtime.updated(spells, [pod()], NINE + (2 * n + 1) * MIN)
    assert len(spells) == downtime.MOST
    assert (spells[0].down_since, spells[-1].ready_at) == (NINE, NINE + 199 * MIN)
    assert downtime.from_text(downtime.to_text(spells)) == spells
    assert downtime.from_text("nonsense|") == ()
    assert downtime.updated(spells, [pod()], NINE + 300 * MIN) is spells


def test_a_pod_replaced_between_two_polls_was_down() -> None:
    before = (Downtime(NINE - 9 * MIN, NINE - 8 * MIN),)
    later = replace(pod().containers[0], started_at=NINE + 3 * MIN)
    assert downtime.updated(before, [replace(pod(), containers=(later,))], NINE + 4 * MIN)[-1] == Downtime(
        NINE + 3 * MIN, NINE + 3 * MIN
    )
