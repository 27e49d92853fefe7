"""A background task that keeps crashing is an incident, and unexpected errors of watchers count as no data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

from bot.app import guarded
from bot.domain.core import words
from bot.domain.core.reply import Reply
from bot.domain.core.workload import Pod
from bot.domain.outbox.message import OutboxMessage
from bot.ports.cluster import Cluster
from bot.services.incidents.muting import Muting
from bot.services.incidents.task_crashes import TaskCrashes
from bot.services.incidents.watch_pod import PodWatch
from bot.services.incidents.watch_tasks import TaskWatch
from bot.wiring.watchers import subjects
from tests.services.watchbench import CRITICAL, Watch, watch, watched
from tests.services.workbench import OPS, START, Bench, bench, opened, rendered, sending

NO_SOCKS = ImportError("Using SOCKS proxy, but the 'socksio' package is not installed.")


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Watch]:
    async with watched(tmp_path) as made:
        yield made


def tasks(of: Watch, crashes: TaskCrashes) -> TaskWatch:
    return TaskWatch(crashes, of.target.name, of.clock, of.incidents, subjects([of.target]))


async def look(of: Watch, watcher: TaskWatch, minutes: float = 0) -> list[str]:
    of.clock.pass_(minutes=minutes)
    await watcher.look()
    await of.deliver()
    return of.first_lines()


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("inside secure-agent-pod", "the watcher inside secure-agent-pod"),
        ("pod secure-agent-pod", "the watcher of secure-agent-pod"),
        ("heartbeats", "the watcher of the heartbeats"),
        ("digest", "the bot's task 'digest'"),
    ],
)
async def test_crashing_task_is_reported_with_its_cause_until_it_runs(one: Watch, name: str, subject: str) -> None:
    crashes = TaskCrashes()
    watcher = tasks(one, crashes)
    for _ in range(2):
        crashes.note(name, ValueError("invalid literal for int(): '²'"), one.clock.now())
        assert await look(one, watcher, 1) == []
    crashes.note(name, ValueError("invalid literal for int(): '²'"), one.clock.now())
    assert await look(one, watcher, 1) == [f"🔴 CRITICAL {subject} keeps failing"]
    assert "It died: ValueError: invalid literal for int(): '²'." in str(one.chat.said[0][2].facts)
    await look(one, watcher, 10)
    assert await look(one, watcher, 2) == [f"✅ {words.upper_first(subject)} is well again after 13 min"]


async def test_task_incident_resolves_after_a_restart_of_the_bot(one: Watch) -> None:
    crashes = TaskCrashes()
    for _ in range(3):
        crashes.note("digest", KeyError("day"), one.clock.now())
    assert len(await look(one, tasks(one, crashes))) == 1
    fresh = tasks(one, TaskCrashes())
    await look(one, fresh, 1)
    assert "is well again" in (await look(one, fresh, 2))[0]


async def test_crashes_far_apart_are_no_incident(one: Watch) -> None:
    crashes = TaskCrashes()
    for _ in range(6):
        crashes.note("digest", KeyError("day"), one.clock.now())
        assert await look(one, tasks(one, crashes), 20) == []


async def test_guard_passes_on_the_task_and_its_error() -> None:
    died: list[tuple[str, Exception]] = []
    error = ValueError("no")

    async def work() -> None:
        if not died:
            raise error

    await guarded("digest", work, lambda name, why: died.append((name, why)))
    assert died == [("digest", error)]


async def test_unexpected_error_of_a_read_is_reported_as_no_data(one: Watch) -> None:
    one.source.error = NO_SOCKS
    for _ in range(15):
        await one.look(1)
    assert one.first_lines() == ["⚠️ WARNING the Pushgateway can't be read"], "and no job is called stale"
    [told] = one.chat.shown.values()
    assert f"ImportError: {NO_SOCKS}" in str(told.facts)
    one.source.error = None
    for _ in range(3):
        one.source.push("alpha")
        one.source.push("beta")
        await one.look(1)
    assert one.first_lines() == ["✅ The Pushgateway can be read again after 16 min"]


async def test_one_invalid_group_leaves_other_jobs_watched(one: Watch) -> None:
    one.source.push("beta", at=1e300)
    for _ in range(12):
        await one.look(1)
    assert CRITICAL in one.first_lines()


class OddCluster:
    """A cluster whose pods can't be judged, or can't be watched."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def follow(self, selector: str, *, patience: float) -> AsyncGenerator[Sequence[Pod], None]:
        assert selector
        if self.error is not None:
            raise self.error
        yield [cast("Pod", None)]


@pytest.mark.parametrize("error", [None, RecursionError("too deep"), UnicodeError("half"), KeyError("spec")])
async def test_unexpected_error_of_a_pod_evaluation_is_reported_as_no_data(
    tmp_path: Path, error: Exception | None
) -> None:
    async with opened(tmp_path) as ledger:
        of = watch(ledger, blind_after=1)
        odd = cast("Cluster", OddCluster(error))
        watcher = PodWatch(of.target, lambda _: odd, of.clock, of.rules, of.incidents, Muting(of.rules))
        task = asyncio.create_task(watcher.run())
        await until(of, lambda: bool(of.first_lines()))
        task.cancel()
        assert of.first_lines() == ["⚠️ WARNING the API server can't be read"]
        assert "The pod could not be judged" in str(of.chat.said[0][2].facts)


async def until(of: Watch, holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await of.deliver()
            await asyncio.sleep(0.01)


async def odd(message: OutboxMessage) -> Reply:
    """Message kinds of which some can't be rendered."""
    if message.key.id == "odd":
        raise ValueError("day is out of range for month")
    return Reply("well")


@pytest_asyncio.fixture
async def approval_service(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        yield bench(ledger)


async def test_message_that_cannot_be_rendered_blocks_no_other(approval_service: Bench) -> None:
    outbox_worker = sending(
        approval_service.ledger, approval_service.chat, approval_service.clock, [rendered("test", odd)]
    )
    async with approval_service.ledger.writing() as tx:
        for name in ("odd", "even"):
            await tx.enqueue(f"test:{name}", OPS)
    while await outbox_worker.deliver():
        pass
    assert [r.headline for _, _, r in approval_service.chat.said] == ["well"]
    [left] = await approval_service.ledger.take(START + timedelta(hours=1), outbox_worker.lease)
    assert "ValueError: day is out of range for month" in left.error
