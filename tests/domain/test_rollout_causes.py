"""Following a restart whose new pod does not start: permanent problems fail at once, with their cause."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.core.workload import Deployment, Pod
from bot.domain.health.rollout import (
    APPROVAL_ANNOTATION,
    ChangeMarker,
    Outcome,
    RolloutProgress,
    headline,
    progress,
)
from tests.domain import test_pod_state as states
from tests.pods import RUNNING, UP, api, run_that_ended
from tests.times import utc

START = datetime(2026, 11, 24, 1, 59, 56, tzinfo=UTC)
NOW = START + timedelta(seconds=40)
MARK = ChangeMarker(START, (("agent-5c4-aaaaa", "u-old"),), "r-1", 8)
ROWS = {row[0]: row[1] for row in states.BAD}


def deployment(ready: int) -> Deployment:
    notes = {APPROVAL_ANNOTATION: "r-1"}
    counts = {"generation": 8, "observed_generation": 8, "updated": 1, "current": 1}
    return Deployment("agent", "d-1", ready=ready, template_annotations=notes, **counts)


def look(
    pod: Pod, *others: Pod, at: datetime = NOW, ready: int = 0, before: RolloutProgress | None = None
) -> RolloutProgress:
    return progress(MARK, deployment(ready), [*others, pod], [], at, timedelta(minutes=5), before)


def within(pod: Pod, seconds: Sequence[int]) -> RolloutProgress:
    """The last of several polls."""
    seen: RolloutProgress | None = None
    for second in seconds:
        seen = look(pod, at=START + timedelta(seconds=second), before=seen)
    assert seen is not None
    return seen


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("init crash loop", "logs --container fix-permissions --previous"),
        ("init out of memory", "logs --container fix-permissions --previous"),
        ("sidecar crash loop", "logs --container egress-proxy --previous"),
        ("sidecar out of memory", "logs --container egress-proxy --previous"),
        ("crash loop", "logs --container kali --previous"),
        ("crash loop for memory", "logs --container kali --previous"),
        ("killed", "logs --container kali --previous"),
        ("never pull", "events"),
        ("image name", "events"),
        ("start error in a loop", "events"),
    ],
)
def test_permanent_problems_fail_at_once_with_their_cause(name: str, advice: str) -> None:
    failed = look(ROWS[name])
    cause = next(row[2] for row in states.BAD if row[0] == name)
    assert failed.outcome is Outcome.FAILED
    assert headline(failed).startswith(f"Failed after 40 s: {cause}")
    assert failed.advice == advice


@pytest.mark.parametrize(
    "name",
    ["init lacks a secret", "secret missing", "key missing", "root", "name is reserved", "config map missing"],
)
def test_missing_objects_fail_before_the_deadline(name: str) -> None:
    failed = within(ROWS[name], [20, 30, 41])
    assert (failed.outcome, failed.advice) == (Outcome.FAILED, "events")
    assert failed.reason == next(row[2] for row in states.BAD if row[0] == name)


@pytest.mark.parametrize("name", [n for n in ROWS if n not in ("unschedulable", "init crash loop")])
def test_a_restart_never_succeeds_with_an_unready_pod(name: str) -> None:
    assert within(ROWS[name], [5, 10, 300]).outcome is Outcome.FAILED
    assert look(ROWS[name], ready=1).outcome is not Outcome.READY


def test_a_running_init_container_is_shown_as_waited_for() -> None:
    seen = look(ROWS["init runs"])
    assert (seen.outcome, seen.trouble) == (Outcome.GOING, "")
    assert utc(headline(seen), NOW) == "Init container fix-permissions is still running, since 02:51 UTC"


def test_the_termination_message_is_the_evidence() -> None:
    failed = look(ROWS["init crash loop"])
    assert failed.reason.endswith("keeps crashing (exit 1, 7 restarts): chown: Read-only file system")
    assert utc(failed.evidence[0], NOW) == "fix-permissions ended at 02:50 UTC"


def test_pods_that_were_over_before_are_not_failed_new_pods() -> None:
    gone = [
        api(
            meta={"name": f"agent-7d9-{n}", "uid": f"t-{n}", "creationTimestamp": "2026-11-23T20:00:00Z"},
            status={"phase": "Failed", "reason": "Evicted"},
        )
        for n in range(5)
    ]
    assert look(ROWS["being created"], *gone).replaced == ()
    assert look(api(UP), *gone, ready=1).outcome is Outcome.READY


def test_a_sidecar_that_crashed_once_may_pass() -> None:
    proxy = {**states.PROXY, "state": RUNNING, "started": True, "restartCount": 1}
    unready = states.UNREADY | {"lastTransitionTime": "2026-11-24T02:00:10Z"}
    once = api(
        UP,
        inits=[proxy | {"lastState": run_that_ended("Error", 1, at="2026-11-24T02:00:10Z")}],
        conditions={"Ready": unready, "ContainersReady": unready},
    )
    seen = look(once)
    assert (seen.outcome, seen.trouble) == (
        Outcome.GOING,
        "sidecar egress-proxy crashed (exit 1, 1 restart), runs again and is not ready",
    )
