"""The pretend container's log: each line appears when its time has come, so that its times never run backwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.cluster.podlogs import ContainerLog

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A moment at which both the crontab's job and the sync of VibeKanban begin."""
CRONTAB = "*/5 * * * * /opt/scripts/session-manager.sh\n"


@pytest.mark.parametrize("crontab", [None, CRONTAB])
@pytest.mark.parametrize("step", [0.2, 1.0, 7.0, 100.0])
def test_no_line_is_from_the_future_and_each_comes_once(crontab: str | None, step: float) -> None:
    log = ContainerLog(NOON - timedelta(minutes=1), crontab=crontab)
    now = NOON - timedelta(seconds=30)
    while now < NOON + timedelta(minutes=6):
        log.advance(now)
        log.write("a line of somebody else", now)
        times = [line.at for line in log.lines]
        assert times == sorted(times)
        assert times[-1] <= now
        now += timedelta(seconds=step)
    at_once = ContainerLog(NOON - timedelta(minutes=1), crontab=crontab)
    at_once.advance(now)
    assert [line.at for line in log.lines if "somebody else" not in line.text] == [
        line.at for line in at_once.lines if line.at <= now - timedelta(seconds=step)
    ]
    assert sum("Checking 0 open PRs" in line.text for line in at_once.lines) == 1
