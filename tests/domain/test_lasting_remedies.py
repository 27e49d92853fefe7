"""What usually passes soon has another remedy once it has lasted for long, as the pod itself says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.core.target import Target
from bot.domain.core.workload import Condition, Pod
from bot.domain.health import pod_remedies
from bot.domain.health.container_state import Cause, Issue

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SOON, LONG_AGO = NOW - timedelta(seconds=30), NOW - timedelta(minutes=5)


def pod(began: datetime | None, ready: datetime | None) -> Pod:
    return Pod("p", "u", "Running", started_at=began, conditions=(Condition("Ready", "False", since=ready),))


@pytest.mark.parametrize(
    ("cause", "one", "waits"),
    [
        (Cause.CREATING, pod(SOON, LONG_AGO), True),
        (Cause.CREATING, pod(None, LONG_AGO), True),
        (Cause.CREATING, pod(LONG_AGO, SOON), False),
        (Cause.PROBE, pod(LONG_AGO, SOON), True),
        (Cause.PROBE, pod(LONG_AGO, None), True),
        (Cause.PROBE, pod(LONG_AGO, LONG_AGO), False),
    ],
)
def test_what_has_lasted_for_long_is_not_waited_for(cause: Cause, one: Pod, waits: bool) -> None:
    text, run = pod_remedies.remedy(Issue(cause, "kali is not ready"), one, Target(), NOW)
    assert ("if it stays so" in text.lower()) == waits
    assert "the events s" in text.lower()
    assert run == pod_remedies.EVENTS
