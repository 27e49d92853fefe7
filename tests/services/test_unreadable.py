"""Unreadable rows of the ledger are set aside and named, and everything else goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.incidents.bridge import state
from bot.services.heartbeats.own_heartbeat import HEARD
from bot.services.incidents.poll_coverage import pod_coverage
from tests.services.watchbench import Watch, policies, watch
from tests.services.workbench import JONAS, OPS, START, Bench, opened

BODIES = [
    "",
    "{}",
    "null",
    "{",
    '{"v":99,"id":"i-1"}',
    "[" * 50_000,
    b"\xff\xfe\x00",
    7,
]


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[Watch]:
    async with opened(tmp_path) as ledger:
        made = watch(ledger, jobs=policies("alpha", "beta"))
        await stale(made, "alpha", "beta")
        yield made


async def stale(world: Watch, *beating: str) -> None:
    """Let twenty minutes pass in which only those jobs send heartbeats."""
    for _ in range(4):
        for job in beating:
            world.source.push(job)
        await world.look(5)


def spoil(folder: Path, statement: str, *values: object) -> None:
    """Change the ledger's file directly."""
    with closing(sqlite3.connect(folder / "ledger.db")) as database, database:
        assert database.execute(statement, values).rowcount > 0


async def named(one: Watch | Bench) -> list[str]:
    return [a.kind for a in await one.ledger.set_aside(START - timedelta(days=400))]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_unreadable_incident_stops_no_alert(world: Watch, tmp_path: Path, body: object) -> None:
    await stale(world, "beta")
    spoil(tmp_path, "UPDATE incidents SET body = ?", body)
    spoil(tmp_path, "UPDATE marks SET value = value + 1 WHERE name = 'watched'")
    await stale(world)
    assert {i.problem.subject for i in await world.ledger.incidents(live=True)} >= {"alpha", "beta"}
    assert await named(world) == ["incident"]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_unreadable_job_state_starts_over(world: Watch, tmp_path: Path, body: object) -> None:
    await stale(world, "beta")
    spoil(tmp_path, "UPDATE jobs SET body = ?", body)
    assert await world.ledger.job_states() == {}
    await stale(world)
    assert "job" in await named(world)


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_unreadable_request_blocks_no_other(one: Bench, tmp_path: Path, body: object) -> None:
    repair = await one.ask()
    spoil(tmp_path, "UPDATE cases SET body = ?", body)
    other = await one.ask()
    assert other.id != repair.id
    await one.say(other, Choice.APPROVE, JONAS)
    assert (await one.ended(other)).state is RequestState.SUCCEEDED
    assert await named(one) == ["request"]


async def test_unreadable_message_is_listed_and_the_rest_is_sent(one: Bench, tmp_path: Path) -> None:
    async with one.ledger.writing() as tx:
        await tx.enqueue("card:r-gone", OPS)
    spoil(tmp_path, "UPDATE deliveries SET attempts = 'many'")
    await one.ask()
    await one.deliver()
    assert len(one.chat.said) == 1
    assert [d.key for d in await one.ledger.dead(START - timedelta(days=400))] == ["card:r-gone"]


async def test_event_without_a_time_is_left_out(world: Watch, tmp_path: Path) -> None:
    await stale(world, "beta")
    spoil(tmp_path, "UPDATE history SET at = 'never' || rowid")
    await world.ledger.history(START, START + timedelta(days=1))


@pytest.mark.parametrize("kept", ["", "x", "2026-11-24T09:00:00", "9" * 400], ids=range(4))
async def test_unreadable_marks_start_over(world: Watch, tmp_path: Path, kept: str) -> None:
    async with world.ledger.writing() as tx:
        for name in (HEARD, "looked:pod", "looked-first:pod"):
            await tx.set_mark(name, kept)
        await pod_coverage("pod").note(tx, START)
    assert await pod_coverage("pod").since(world.ledger) in (None, START)
    await stale(world, "beta")


@pytest.mark.parametrize(
    "last", ["{", "[]", "{}", '{"alerts":[]}', '{"alerts":[{"fingerprint":1}]}', "[" * 50_000]
)
def test_unreadable_bridge_mark_is_ignored(last: str) -> None:
    assert state("o/r#1", [], last, START) is None


async def test_unreadable_ended_request_is_left_alone(one: Bench, tmp_path: Path) -> None:
    repair = await one.ask()
    await one.say(repair, Choice.DENY, JONAS, "no")
    spoil(tmp_path, "UPDATE cases SET body = '{}'")
    assert await one.ledger.requests() == []
    assert await named(one) == []
