"""A warning that only delayed a pod's start is over once the pod has got past it, ready or not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.core.probes import Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import Container, Event, Pod, Termination
from bot.domain.health import own_objects
from bot.domain.health.judge_events import judge_events

NOW = datetime(2026, 11, 23, 22, 41, 7, tzinfo=UTC)
SEEN = NOW - timedelta(minutes=10)
BEFORE, AFTER = SEEN - timedelta(minutes=1), SEEN + timedelta(minutes=1)
IMAGE = "kali:1"

PENDING = Pod("pod-1", "u-1", "Pending")
PLACED = replace(PENDING, node="gpu-1", containers=(Container("kali", IMAGE, state="waiting"),))


def with_container(**status: object) -> Pod:
    return replace(PLACED, containers=(Container("kali", IMAGE, **status),))  # type: ignore[arg-type]


CRASHING = with_container(
    state="waiting",
    reason="CrashLoopBackOff",
    last_termination=Termination("Error", 1, finished_at=NOW, started_at=AFTER),
)


@pytest.mark.parametrize(
    ("reason", "pod", "over"),
    [
        ("FailedScheduling", PENDING, False),
        ("FailedScheduling", PLACED, True),
        ("FailedScheduling", CRASHING, True),
        ("FailedMount", PLACED, False),
        ("FailedMount", CRASHING, True),
        ("FailedAttachVolume", with_container(state="running", started_at=AFTER), True),
        ("FailedMount", with_container(state="running", started_at=BEFORE), False),
        (
            "FailedMount",
            with_container(state="terminated", terminated=Termination("Error", 1, started_at=AFTER)),
            True,
        ),
        ("BackOff", CRASHING, False),
    ],
)
def test_a_warning_of_a_start_is_over_when_the_pod_has_got_past_it(reason: str, pod: Pod, over: bool) -> None:
    event = Event("Warning", reason, "0/1 nodes are available", "pod/pod-1", 1, last_seen=SEEN)
    own = own_objects.own(Target(), [pod], None, (), None)
    assert own_objects.is_past(event, pod) is over
    assert own.is_over(event) is over
    assert judge_events([event], NOW, own).verdict is (Verdict.OK if over else Verdict.WARN)


def test_a_warning_without_a_time_is_not_over_by_a_container_that_began() -> None:
    event = Event("Warning", "FailedMount", "not mounted", "pod/pod-1", 1)
    assert not own_objects.is_past(event, CRASHING)
