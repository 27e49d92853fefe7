"""The pretend Pushgateway compared with the real one, and its faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from sandbox.breaks import Breaks
from sandbox.pushgateway import HEARTBEAT, PretendPushgateway, go_float, grouping_key
from tests.pushgateway import real_pushgateway

NOW = datetime(2026, 11, 23, 12, 7, tzinfo=UTC)
BODY = '# TYPE c counter\n# HELP c Some help.\nc 3\nhb{context="desk"} 1.79e9\nsmall 0.00001\nbig 123456789\n'
PUSHES = (
    ("PUT", "job/one", BODY),
    ("POST", "job/one/context/a%20b", "g 1\n"),
    ("POST", "job@base64/dHdv/path@base64/L3Zhcg", "g 2.5\n"),
    ("POST", "job/three", ""),
    ("POST", "job/four", "broken"),
    ("PUT", "job/five", "# TYPE c gauge\nc 1\n"),
    ("DELETE", "job/three", ""),
)
DELETED = "three"
"""The job whose group is deleted."""


@pytest.fixture
async def gateway() -> AsyncIterator[PretendPushgateway]:
    async with PretendPushgateway(clock=lambda: NOW) as one:
        yield one


async def metrics(gateway: PretendPushgateway) -> Any:
    async with aiohttp.ClientSession() as session, session.get(f"{gateway.url}/api/v1/metrics") as response:
        return (await response.json())["data"]


async def exchange(url: str) -> tuple[list[int], Any]:
    """Push everything, then read it back, without times."""
    async with aiohttp.ClientSession() as session:
        codes = []
        for method, path, body in PUSHES:
            async with session.request(method, f"{url}/metrics/{path}", data=body.encode()) as response:
                codes.append(response.status)
        async with asyncio.timeout(10):
            while True:  # the real gateway deletes in the background
                async with session.get(f"{url}/api/v1/metrics") as response:
                    found = await response.json()
                if all(group["labels"]["job"] != DELETED for group in found["data"]):
                    return codes, _timeless(found)
                await asyncio.sleep(0.02)


def _timeless(value: Any) -> Any:
    if isinstance(value, list):
        return [_timeless(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _timeless(item) for key, item in value.items() if key != "time_stamp"}
    for key in ("push_time_seconds", "push_failure_time_seconds"):
        if key in found:
            found[key]["metrics"][0]["value"] = found[key]["metrics"][0]["value"] != "0"
    return found


@pytest.fixture
async def real() -> AsyncIterator[str]:
    async with real_pushgateway() as url:
        yield url


def repr_of_labels(entry: dict[str, Any]) -> str:
    """The real gateway keeps its groups in no particular order."""
    return repr(sorted(entry["labels"].items()))


async def test_the_pretend_gateway_answers_like_the_real_one(real: str):
    async with PretendPushgateway(jobs=False) as pretend:
        ours, theirs = await exchange(pretend.url), await exchange(real)
    assert ours[0] == theirs[0]
    assert sorted(ours[1]["data"], key=repr_of_labels) == sorted(theirs[1]["data"], key=repr_of_labels)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.79e9, "1.79e+09"),
        (0.0, "0"),
        (3.0, "3"),
        (0.5, "0.5"),
        (100000.0, "100000"),
        (1e-5, "1e-05"),
        (-1234567.25, "-1.23456725e+06"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Inf"),
    ],
)
def test_numbers_are_written_as_go_writes_them(number, text):
    assert go_float(number) == text


def test_an_empty_base64_label_is_an_equals_sign():
    assert grouping_key("job/one/path@base64/=") == {"job": "one", "path": ""}


async def test_jobs_have_pushed_on_schedule(gateway):
    shown = {entry["labels"]["job"]: entry for entry in await metrics(gateway)}
    assert set(shown) == {"exercise_reminder", "audit_digest", "session_manager", "self_update"}
    pushed = float(shown["session_manager"]["push_time_seconds"]["metrics"][0]["value"])
    assert datetime.fromtimestamp(pushed, tz=UTC) == NOW.replace(minute=5)


async def test_a_stopped_job_keeps_its_last_success():
    now = [NOW]
    gateway = PretendPushgateway(clock=lambda: now[0])
    await Breaks(gateway.breaks).apply("heartbeat-session-manager-stopped", True)
    now[0] += timedelta(hours=2)
    gateway.advance()
    ages = {g.labels["job"]: now[0].timestamp() - g.success for g in gateway.groups.values()}
    assert ages["session_manager"] == 2 * 3600 + 120
    assert ages["exercise_reminder"] < 3600


async def test_an_aged_job_is_late_at_once_and_heals(gateway):
    breaks = Breaks(gateway.breaks)
    await breaks.apply("heartbeat-audit-digest-aged", "108000")
    group = gateway.groups[(("job", "audit_digest"),)]
    assert group.success == NOW.timestamp() - 108000
    await breaks.heal()
    gateway.advance()
    assert NOW.timestamp() - group.success < 86400


@pytest.mark.parametrize("ahead", ["-3600", "3600", "172800"])
async def test_a_wrong_clock_in_the_pod_shows_at_once_in_pushed_times_and_heals(gateway, ahead):
    breaks, group = Breaks(gateway.breaks), gateway.groups
    await breaks.apply("heartbeat-session-manager-stopped", True)
    await breaks.apply("heartbeat-clock", ahead)
    gauge = group[(("job", "audit_digest"),)].families[HEARTBEAT].samples
    assert gauge == [({}, NOW.timestamp() + float(ahead))]
    assert group[(("job", "audit_digest"),)].success == NOW.timestamp(), "the gateway's own clock is right"
    assert group[(("job", "session_manager"),)].success < NOW.timestamp(), "a job that is stopped stays so"
    await breaks.heal()
    assert group[(("job", "audit_digest"),)].families[HEARTBEAT].samples == [({}, NOW.timestamp())]


async def test_a_restart_without_its_file_leaves_no_group_until_a_job_runs_again():
    now = [NOW]
    async with PretendPushgateway(clock=lambda: now[0]) as gateway:
        await Breaks(gateway.breaks).apply("pushgateway-restart", None)
        assert await metrics(gateway) == []
        now[0] += timedelta(minutes=5)
        assert [entry["labels"]["job"] for entry in await metrics(gateway)] == ["session_manager"]


async def test_a_failing_push_is_newer_than_the_success(gateway):
    await Breaks(gateway.breaks).apply("heartbeat-self-update-failing", True)
    shown = {entry["labels"]["job"]: entry for entry in await metrics(gateway)}
    assert shown["self_update"]["last_push_successful"] is False


@pytest.mark.parametrize(("fault", "count"), [("pushgateway-empty", 0), ("pushgateway-10k", 10_000)])
async def test_number_of_groups(gateway, fault, count):
    await Breaks(gateway.breaks).apply(fault, True)
    added = [g for g in await metrics(gateway) if g["labels"]["job"].startswith("job_")]
    assert len(added) == count


async def test_garbage_is_not_json(gateway):
    await Breaks(gateway.breaks).apply("pushgateway-garbage", True)
    with pytest.raises(ValueError, match=r"Expecting value|codec"):
        await metrics(gateway)


async def test_down_refuses_and_heals_on_the_same_port(gateway):
    breaks = Breaks(gateway.breaks)
    await breaks.apply("pushgateway-down", True)
    with pytest.raises(aiohttp.ClientConnectorError):
        await metrics(gateway)
    await breaks.heal()
    assert len(await metrics(gateway)) == 4
