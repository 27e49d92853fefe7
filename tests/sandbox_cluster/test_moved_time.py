"""Moving the sandbox's time: it moves for all parts at once, and running jobs have run meanwhile."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox.breaks import Breaks
from sandbox.cluster import PretendCluster
from sandbox.cluster.store import utc_now
from sandbox.moved_time import MovedTime
from sandbox.pushgateway import HEARTBEAT, PretendPushgateway

SLACK = timedelta(seconds=5)
"""How much time may really pass during a test."""


@pytest.fixture
def time(tmp_path: Path) -> MovedTime:
    return MovedTime(tmp_path / "ahead")


def pushed(gateway: PretendPushgateway, job: str) -> datetime:
    """When a job's last push was accepted; checks that the pushed gauge has the same time."""
    gateway.advance()
    group = gateway.groups[(("job", job),)]
    assert group.families[HEARTBEAT].samples == [({}, group.success)]
    return datetime.fromtimestamp(group.success, tz=utc_now().tzinfo)


async def test_moves_add_up_and_all_readers_of_the_file_agree(time: MovedTime, tmp_path: Path) -> None:
    assert abs(time.now() - utc_now()) < SLACK
    for name in ("10m", "1h", "6h"):
        await Breaks(time.breaks).apply(f"time-{name}", None)
    ahead = timedelta(hours=7, minutes=10)
    for who in (time, MovedTime(tmp_path / "ahead")):
        assert abs(who.now() - utc_now() - ahead) < SLACK
    await Breaks(time.breaks).heal()
    assert time.ahead == ahead, "time does not go back"


async def test_a_move_includes_runs_of_running_jobs_but_not_of_stopped_ones(time: MovedTime) -> None:
    gateway = PretendPushgateway(clock=time.now, pulse=True)
    breaks = Breaks([*gateway.breaks, *time.breaks])
    before = {job: pushed(gateway, job) for job in ("agent_pulse", "session_manager")}
    await breaks.apply("heartbeat-session-manager-stopped", True)
    await breaks.apply("time-1h", None)
    assert time.now() - pushed(gateway, "agent_pulse") < timedelta(minutes=1) + SLACK
    assert pushed(gateway, "session_manager") == before["session_manager"]
    await breaks.apply("heartbeat-session-manager-stopped", False)
    assert time.now() - pushed(gateway, "session_manager") < timedelta(minutes=5) + SLACK


async def test_an_emptied_gateway_has_each_job_again_after_its_next_run(time: MovedTime) -> None:
    gateway = PretendPushgateway(clock=time.now)
    breaks = Breaks([*gateway.breaks, *time.breaks])
    await breaks.apply("pushgateway-restart", None)
    await breaks.apply("time-6h", None)
    gateway.advance()
    assert gateway.groups[(("job", "exercise_reminder"),)].success > gateway.started.timestamp()


async def test_the_pod_its_processes_and_its_log_grow_older(time: MovedTime) -> None:
    async with PretendCluster(speed=0, clock=time.now) as cluster:
        [pod] = cluster.simulation.pods()

        def age() -> int:
            table = cluster.simulation.table(pod)
            return table.elapsed(table.processes[0])

        def lines() -> int:
            log = cluster.simulation.log(pod)
            assert log is not None
            return len(log.lines)

        before, written = age(), lines()
        await Breaks(time.breaks).apply("time-6h", None)
        assert abs(age() - before - 6 * 3600) < SLACK.total_seconds()
        assert lines() > written + 100, "its jobs ran"
        assert cluster.simulation.pods() == [pod], "nothing happened to the pod"


async def test_groups_read_before_a_move_are_not_judged_by_the_time_after_it(time: MovedTime) -> None:
    async with PretendPushgateway(clock=time.now, pulse=True) as gateway, aiohttp.ClientSession() as session:

        async def read(what: str) -> Any:
            async with session.get(f"{gateway.url}/api/v1/{what}") as answer:
                return (await answer.json())["data"]

        time.between = gateway.silent
        await read("metrics")
        moving = asyncio.ensure_future(Breaks(time.breaks).apply("time-6h", None))
        await read("status")
        assert time.ahead == timedelta(), "who has read before is not done yet"
        [pulse] = [g for g in await read("metrics") if g["labels"]["job"] == "agent_pulse"]
        assert time.ahead == timedelta(hours=6)
        age = time.now().timestamp() - float(pulse["push_time_seconds"]["metrics"][0]["value"])
        assert age < 60 + SLACK.total_seconds()
        await moving
