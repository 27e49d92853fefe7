"""Outages of the pod that are each too short for an alert are one incident once there are too many."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.domain.approvals.approval import Choice
from bot.domain.core.target import Target
from bot.domain.core.workload import Condition, Pod, Termination
from bot.domain.health import outages
from bot.domain.health.outages import Outages
from bot.domain.incidents import pod_watch
from tests.pods import conditions
from tests.services.watchbench import Watch, watch, watched
from tests.services.workbench import JONAS, START, bench, opened, pod

STEP = 10 / 60
HEAD = "🔴 CRITICAL secure-agent-pod: "


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Watch]:
    async with watched(tmp_path) as made:
        await made.see()
        yield made


def born(one: Watch, number: int) -> Pod:
    """A pod that was created now."""
    healthy, now = pod(number), one.clock.time
    container = replace(healthy.containers[0], started_at=now)
    return replace(healthy, created_at=now, containers=(container,))


def evicted(one: Watch, gone: Pod) -> Pod:
    """The remains of an evicted pod."""
    why = Condition("DisruptionTarget", "True", "TerminationByKubelet", since=one.clock.time)
    said = "The node was low on resource: memory."
    return replace(gone, phase="Failed", reason="Evicted", message=said, conditions=(why,))


def unready(one: Watch, well: Pod) -> Pod:
    shown = (replace(well.containers[0], ready=False),)
    return replace(well, containers=shown, conditions=conditions(shown))


def restarted(one: Watch, well: Pod, count: int) -> Pod:
    ended = Termination("Error", 1, one.clock.time)
    again = replace(
        well.containers[0], restarts=count, last_termination=ended, started_at=one.clock.time, ready=True
    )
    return replace(well, containers=(again,))


async def evictions(one: Watch, count: int, minutes: float = 1) -> list[Pod]:
    """Each time the pod is evicted, and the next one is ready twenty seconds later."""
    records: list[Pod] = []
    alive = pod(1)
    for n in range(count):
        records.append(evicted(one, alive))
        await one.see(records, minutes - 2 * STEP)
        alive = born(one, n + 2)
        await one.see([*records, unready(one, alive)], STEP)
        await one.see([*records, alive], STEP)
    return [*records, alive]


async def test_eight_evictions_are_one_incident_with_count_and_message(one: Watch) -> None:
    pods = await evictions(one, 8)
    [line] = one.first_lines()
    assert line == f"{HEAD}evicted 8 times in 7 min, last at 09:07 UTC"
    shown = one.chat.shown["1.0"]
    facts = {f.label: f.value for f in shown.facts}
    assert facts["Evidence"] == "pod-8: the pod was evicted (The node was low on resource: memory.)"
    assert [b.command for b in shown.buttons if b.label == "Events"] == ['events --target "secure-agent-pod"']
    assert "Ask for a restart" not in [b.label for b in shown.buttons], "its node would evict it again"
    for _ in range(12):
        await one.see(pods, 1)
    assert one.first_lines()[0].startswith("✅ secure-agent-pod has settled down")


async def test_flapping_readiness_is_one_incident(one: Watch) -> None:
    for _ in range(12):
        await one.see([unready(one, pod(1))], STEP)
        await one.see([pod(1)], STEP)
    assert one.first_lines() == [f"{HEAD}not ready 12 times in 4 min, last at 09:03 UTC"]


@pytest.mark.parametrize("counts", [[1, 2, 3, 4, 5], [1, 1, 1, 1, 1], [9, 8, 2, 0, 1]], ids=["up", "same", "back"])
async def test_restarts_are_counted_however_the_kubelet_counts_them(one: Watch, counts: Sequence[int]) -> None:
    for count in counts:
        await one.see([restarted(one, pod(1), count)], 1)
    [line] = one.first_lines()
    assert line.startswith(HEAD)
    assert "last at 09:04 UTC" in line


async def test_restarts_are_counted_across_new_pods(one: Watch) -> None:
    for n in range(2, 8):
        await one.see([born(one, n)], 1)
    assert one.first_lines()[0].startswith(f"{HEAD}replaced 6 times in 5 min")


async def test_outage_kinds_are_counted_separately(one: Watch) -> None:
    pods = await evictions(one, 3)
    for n in (1, 2):
        await one.see([*pods[:-1], restarted(one, pods[-1], n)], 1)
    assert one.first_lines()[0].startswith(f"{HEAD}evicted 3 times and restarted 2 times in 4 min")


async def test_three_outages_or_slow_ones_are_no_incident(one: Watch) -> None:
    pods = await evictions(one, 3)
    for _ in range(20):
        await one.see(pods, 1)
    assert one.chat.said == []


async def test_evictions_far_apart_are_no_incident(one: Watch) -> None:
    await evictions(one, 6, minutes=5)
    assert one.chat.said == []


@pytest.mark.parametrize("overlap", [True, False], ids=["rolling update", "recreate"])
async def test_one_restart_by_kubectl_is_no_incident(one: Watch, overlap: bool) -> None:
    old, new = pod(1), born(one, 2)
    await one.see([old, unready(one, new)] if overlap else [replace(old, deleting=True)], 1)
    await one.see([replace(old, deleting=True), unready(one, new)], STEP)
    for _ in range(10):
        await one.see([new], 1)
    assert one.chat.said == []


async def test_outage_count_survives_a_restart_of_the_bot(one: Watch) -> None:
    for _ in range(3):
        await one.see([unready(one, pod(1))], STEP)
        await one.see([pod(1)], STEP)
    other = watch(one.ledger, like=one)
    await other.see([pod(1)], STEP)
    assert one.chat.said == []
    await other.see([unready(one, pod(1))], STEP)
    assert one.first_lines()[0].startswith(f"{HEAD}not ready 4 times")


async def test_outage_count_and_window_are_settings(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        made = watch(ledger, outages=2, outage_window="1h")
        await made.see([pod(1)])
        for _ in range(2):
            await made.see([unready(made, pod(1))], 10)
            await made.see([pod(1)], 1)
        assert made.first_lines() == [f"{HEAD}not ready 2 times in 11 min, last at 09:21 UTC"]


async def test_approved_restarts_do_not_count(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        world, repairs = watch(ledger), bench(ledger)
        repairs.clock, repairs.executor.clock, repairs.approval_service.clock = (
            world.clock,
            world.clock,
            world.clock,
        )
        await world.see(repairs.cluster.pods_)
        for n in range(2, 8):
            repairs.cluster.stuck = True
            repair = await repairs.ask()
            await repairs.say(repair, Choice.APPROVE, JONAS)
            await repairs.until(repair, lambda c: c.sent_at is not None)
            await world.see([], STEP)
            await world.see([born(world, n)], STEP)
            repairs.cluster.pods_ = [pod(n)]
            await repairs.ended(repair)
            await world.see([pod(n)], STEP)
        assert world.chat.said == []
        await repairs.executor.stop(1)


async def test_crash_loop_stays_the_pod_s_own_incident(one: Watch) -> None:
    for n in range(1, 12):
        crashed = restarted(one, pod(1), n)
        waits = replace(crashed.containers[0], ready=False, state="waiting", reason="CrashLoopBackOff")
        await one.see([replace(crashed, containers=(waits,), conditions=conditions([waits]))], STEP)
        await one.see([crashed], STEP)
    await one.see([replace(crashed, containers=(waits,), conditions=conditions([waits]))], STEP)
    assert one.first_lines() == [f"{HEAD}kali keeps crashing (exit 1, 11 restarts)"]


def test_saved_outages_are_parsed_and_garbage_is_ignored() -> None:
    known = outages.updated(None, [pod(1)], START, timedelta(minutes=10), 4)
    assert outages.from_json(outages.to_json(known)) == known
    assert outages.from_json("") is None
    assert outages.from_json('{"seen": 3}') is None


def test_saved_outages_are_bounded_and_still_counted() -> None:
    known: Outages | None = outages.updated(None, [pod(1)], START, timedelta(minutes=10), 4)
    now = START
    for _ in range(300):
        for pods in ([], [pod(1)]):
            now += timedelta(seconds=10)
            known = outages.updated(known, pods, now, timedelta(minutes=10), 4)
    assert known is not None
    assert (known.times, len(known.seen)) == (300, outages.MOST)
    target = Target()
    problem = pod_watch.repeated(target, [pod(1)], known, now)
    assert problem is not None
    assert problem.summary.startswith("out 300 times (not ready 100 times of late) in 1 h 40 min")
