"""The pod's own incidents, the excuses of its jobs, and a pod that can't be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.workload import Pod, Termination
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.problem import Reason
from bot.errors import NotAllowed, Permanent, Transient
from bot.services.incidents import muting
from bot.services.incidents.watch_pod import PATIENCE, ReadFailures
from tests.services.two_containers import Two, approved, asked, two
from tests.services.watchbench import Watch, down, watch, watched
from tests.services.workbench import JONAS, START, Bench, bench, opened, pod

CRASHING = "🔴 CRITICAL secure-agent-pod: kali keeps crashing (exit 1, 3 restarts)"
AWAY = Transient("The API server can't be reached: connection refused.")


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Watch]:
    """Watchers that saw both jobs and the pod at nine."""
    async with watched(tmp_path) as made:
        await made.see()
        yield made


def restarted(one: Watch, count: int, why: str = "Error", *, runs: bool = True) -> list[Pod]:
    """The pod after that many restarts, the last one now."""
    [healthy] = [pod(1)] if runs else down()
    ended = Termination(why, 137 if why == "OOMKilled" else 1, one.clock.time)
    changes = {"restarts": count, "last_termination": ended, "started_at": one.clock.time}
    return [replace(healthy, containers=(replace(healthy.containers[0], **changes),))]


async def through(one: Watch, pods: Sequence[Pod], minutes: float, step: float = 0.5) -> None:
    """Evaluate these pods for a while."""
    for _ in range(round(minutes / step)):
        await one.see(pods, step)


async def incidents(one: Watch, kind: str) -> list[Incident]:
    async with one.ledger.writing() as tx:
        found = await tx.newest_incidents(START)
    return [i for key, i in found.items() if key.startswith(kind) and i.notified]


async def loop(one: Watch, crashes: int) -> None:
    """A crash loop: it waits, twice as long each time, and runs for twenty seconds."""
    wait = 10.0
    for n in range(1, crashes + 1):
        await through(one, restarted(one, n, runs=False), wait / 60, 10 / 60)
        await through(one, restarted(one, n), 20 / 60, 10 / 60)
        wait = min(wait * 2, 300)


async def test_crash_loop_is_one_incident_of_constant_severity(one: Watch) -> None:
    await loop(one, 12)
    [incident] = await incidents(one, "pod:")
    assert [n.reason for n in incident.notices] == [Reason.FIRST_FIRING]
    assert await incidents(one, "restarts:") == [], "the pod's own incident tells of them"
    assert len(one.chat.said) == 1


async def test_crash_loop_is_reported_though_it_never_waits_for_long(one: Watch) -> None:
    for n in range(1, 6):
        await through(one, restarted(one, n, runs=False), 0.5)
        await through(one, restarted(one, n), 0.5)
    assert len(one.first_lines()) == 1
    assert "secure-agent-pod" in one.first_lines()[0]


async def test_fixed_crash_loop_resolves_within_minutes_with_its_duration(one: Watch) -> None:
    one.clock.pass_(minutes=1)
    await through(one, restarted(one, 3, runs=False), 10)
    assert one.first_lines() == [CRASHING]
    await through(one, restarted(one, 4), 5.5)
    assert one.first_lines() == ["✅ secure-agent-pod is well again after 10 min"]
    await through(one, restarted(one, 4), 70)
    assert len(one.first_lines()) == 1, "what the crash loop told is not told again"


async def test_single_restart_is_not_reported(one: Watch) -> None:
    await through(one, restarted(one, 1), 30)
    assert one.chat.said == []


async def test_rising_restarts_are_one_message_until_they_stop(one: Watch) -> None:
    for n in range(1, 7):
        await through(one, restarted(one, n), 12, 1)
    last = "last at 10:00 UTC (Error, exit code 1)"
    assert one.first_lines() == [f"⚠️ WARNING secure-agent-pod: kali restarted 6 times, {last}"]
    assert one.thread() == []
    await through(one, one.cluster.pods_, 0, 1)
    await through(one, restarted(one, 6), 17, 1)
    assert one.first_lines()[0].startswith("✅ secure-agent-pod has settled down")


async def test_repeated_oom_kill_raises_the_severity_once(one: Watch) -> None:
    for n in range(1, 7):
        await through(one, restarted(one, n, "OOMKilled"), 10, 1)
    [incident] = await incidents(one, "restarts:")
    assert [n.reason for n in incident.notices] == [Reason.FIRST_FIRING, Reason.SEVERITY_RAISED]
    assert one.first_lines()[0].startswith(
        "🔴 CRITICAL secure-agent-pod: kali hit its memory limit 6 times, last at 09:50 UTC"
    )


async def test_restart_count_survives_a_restart_of_the_bot(one: Watch) -> None:
    await through(one, restarted(one, 1, "OOMKilled"), 5, 1)
    other = watch(one.ledger, like=one)
    await through(other, restarted(one, 2, "OOMKilled"), 5, 1)
    assert "hit its memory limit 2 times" in one.first_lines()[0]


async def _approved(one: Watch, count: int, *, made: bool = True) -> None:
    """Somebody has kali restarted, from that restart count to the next one, or tries to."""
    services = bench(one.ledger, cluster=Two(deaf=not made))
    services.clock, services.executor.clock, services.approval_service.clock = one.clock, one.clock, one.clock
    cluster = two(services)
    if count:
        cluster.end("kali", restarts=count)
    done = await approved(services, await asked(services)) if made else await _in_vain(services)
    assert (done.state is RequestState.SUCCEEDED) is made
    await services.executor.stop(1)


async def _in_vain(services: Bench) -> RepairRequest:
    repair = await asked(services)
    await services.say(repair, Choice.APPROVE, JONAS)
    await services.until_sent(1)
    services.clock.pass_(seconds=50)
    return await services.ended(repair)


async def test_approved_restarts_of_a_container_are_no_rising_restarts(one: Watch) -> None:
    for n in range(1, 7):
        await _approved(one, n - 1)
        await through(one, restarted(one, n), 12, 1)
    assert one.first_lines() == []


async def test_restarts_that_nobody_approved_are_counted_beside_those(one: Watch) -> None:
    await _approved(one, 0)
    for n in range(1, 8):
        await through(one, restarted(one, n), 12, 1)
    assert "kali restarted 6 times" in one.first_lines()[0]


async def test_an_approved_restart_that_was_not_made_excuses_no_crash(one: Watch) -> None:
    await _approved(one, 0, made=False)
    for n in range(1, 7):
        await through(one, restarted(one, n), 12, 1)
    assert "kali restarted 6 times" in one.first_lines()[0]


async def test_approved_restarts_of_a_container_are_no_outages(one: Watch) -> None:
    for n in range(1, 9):
        await _approved(one, n - 1)
        await through(one, restarted(one, n), 3, 1)
    assert one.first_lines() == []


@pytest.mark.parametrize("container", ["kali", "proxy"])
async def test_while_a_container_is_restarted_the_pod_s_alerts_are_muted(one: Watch, container: str) -> None:
    """Those of the jobs as well, where it is the container that they run in."""
    in_step = asyncio.Event()
    services = bench(one.ledger, cluster=Two(in_step=in_step))
    services.clock, services.executor.clock, services.approval_service.clock = one.clock, one.clock, one.clock
    repair = await asked(services, container)
    await services.say(repair, Choice.APPROVE, JONAS)
    await services.until_sent(1)
    now, job = one.clock.now(), one.target.heartbeats[0]
    async with one.ledger.writing() as tx:
        assert await one.pod.muting.of_pod(tx, one.target, now) == f"it is being restarted ({repair.id})"
        why = await one.pod.muting.of(tx, one.target, now)
    assert ("is being restarted" in why(job, now, False)) is (container == "kali")
    await through(one, down(), 2)  # every second poll finds what is wrong
    [held] = await one.ledger.incidents(live=True, notified=False, limit=None)
    assert held.problem.muted == f"it is being restarted ({repair.id})"
    assert await muting.as_now(one.ledger, held) == held
    in_step.set()
    assert (await services.ended(repair)).state is RequestState.SUCCEEDED
    assert (await muting.as_now(one.ledger, held)).problem.muted == "", "before the next poll as well"
    await services.executor.stop(1)


# What jobs are excused for


async def test_second_downtime_excuses_jobs_like_the_first(one: Watch) -> None:
    await one.see(down(), 5)
    await one.see([pod(1)], 4)
    await one.look(2)
    await one.see(down(), 1)
    await one.look()
    assert [line for line in one.first_lines() if "no heartbeat" in line] == []
    await one.see([pod(1)], 1)
    await one.look(9.9)
    assert [line for line in one.first_lines() if "no heartbeat" in line] == []
    await one.look(0.2)
    assert len([line for line in one.first_lines() if "no heartbeat" in line]) == 2


async def test_unreadable_pod_does_not_mute_jobs_for_ever(one: Watch) -> None:
    await one.see(down(), 1)
    for _ in range(12):
        await one.pod.source_unavailable(AWAY, START + timedelta(minutes=2))
        one.source.push("beta")
        await one.look(1)
    assert "🔴 CRITICAL alpha: no heartbeat since 09:00 UTC" in one.first_lines()


async def test_pod_readable_again_and_still_down_mutes_as_before(one: Watch) -> None:
    await one.see(down(), 1)
    await one.pod.source_unavailable(AWAY, START + timedelta(minutes=2))
    await one.see(down(), 1)
    await one.look(30)
    assert [line for line in one.first_lines() if "no heartbeat" in line] == []


async def test_maintenance_of_a_target_mutes_its_unreadable_cluster(tmp_path: Path) -> None:
    window = {"name": "upgrade", "start": START, "lasts": "1h"}
    async with opened(tmp_path) as ledger:
        made = watch(ledger, maintenance=[window])
        await made.pod.source_unavailable(AWAY, made.clock.time)
        await made.deliver()
        assert made.chat.said == []
        made.clock.pass_(minutes=60)
        await made.pod.source_unavailable(AWAY, START)
        await made.deliver()
        assert len(made.first_lines()) == 1


async def test_maintenance_of_a_job_does_not_mute_an_unreadable_cluster(tmp_path: Path) -> None:
    window = {"name": "nightly", "start": START, "lasts": "1h", "jobs": ["alpha"]}
    async with opened(tmp_path) as ledger:
        made = watch(ledger, maintenance=[window])
        await made.pod.source_unavailable(AWAY, made.clock.time)
        await made.deliver()
        assert len(made.first_lines()) == 1


@pytest.mark.parametrize(
    ("narrower", "told"), [({}, 0), ({"targets": ["secure-agent-pod"]}, 0), ({"jobs": ["alpha"]}, 1)]
)
async def test_maintenance_of_everything_mutes_an_unavailable_pushgateway(
    tmp_path: Path, narrower: dict[str, object], told: int
) -> None:
    window = {"name": "upgrade", "start": START, "lasts": "1h", **narrower}
    async with opened(tmp_path) as ledger:
        made = watch(ledger, maintenance=[window])
        made.source.error = AWAY
        for _ in range(5):
            await made.look(1)
        assert len(made.first_lines()) == told
        await made.look(60)
        assert len(made.first_lines()) == 1, "what is still so is told when the window is over"


# The API server can't be read


def test_third_odd_answer_in_a_row_counts_from_the_first() -> None:
    failures, odd = ReadFailures(after=3), Permanent("The API server's answer is no JSON.")
    times = [START + timedelta(seconds=10 * n) for n in range(4)]
    assert [failures.failed(odd, at) for at in times] == [None, None, START, START]
    failures.succeeded()
    assert failures.failed(odd, times[3]) is None


@pytest.mark.parametrize(
    ("error", "waited"), [(NotAllowed("The bot may not list pods."), 0.0), (AWAY, PATIENCE)], ids=["403", "outage"]
)
def test_refusal_and_outage_count_at_once(error: Exception, waited: float) -> None:
    assert isinstance(error, NotAllowed | Transient)
    assert ReadFailures(after=3).failed(error, START) == START - timedelta(seconds=waited)


# A restart that was approved


@pytest.mark.parametrize("comes", [True, False], ids=["the job is back", "the job is not back"])
async def test_jobs_have_a_period_after_an_approved_restart(tmp_path: Path, comes: bool) -> None:
    async with opened(tmp_path) as ledger:
        world, repairs = watch(ledger), bench(ledger)
        repairs.clock, repairs.executor.clock, repairs.approval_service.clock = (
            world.clock,
            world.clock,
            world.clock,
        )
        for job in ("alpha", "beta"):
            world.source.push(job)
        await world.look()
        await world.see(repairs.cluster.pods_)
        repairs.cluster.stuck = True
        world.clock.pass_(minutes=5)
        repair = await repairs.ask()
        await repairs.say(repair, Choice.APPROVE, JONAS)
        await repairs.until(repair, lambda c: c.sent_at is not None)
        for _ in range(3):
            await world.see(repairs.cluster.pods_, 1)
            await world.look(1)
        repairs.cluster.pods_ = [pod(2)]
        await repairs.ended(repair)
        await world.see(repairs.cluster.pods_)
        await world.look(9)
        assert world.chat.said == []
        for job in ("alpha", "beta") if comes else ("beta",):
            world.source.push(job)
        await world.look(1)
        assert len(world.chat.said) == (0 if comes else 1)
        await repairs.executor.stop(1)
