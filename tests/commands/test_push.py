"""``heartbeats push``: a real push, marked as manual, recorded first, and refused where it makes no sense."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.heartbeats.heartbeat import MANUAL
from bot.errors import Transient, UsageError
from bot.runbook.grammar import parse
from commands.registry import BUILTIN
from tests.commands.fakes import NOW, FakeHeartbeats, World


@dataclass
class Book:
    """A ledger that keeps records, or can't."""

    records: list[tuple[Any, ...]] = field(default_factory=list)
    error: Exception | None = None

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Book]:
        yield self
        if self.error is not None:
            raise self.error

    async def record(self, at: Any, kind: str, actor: str, subject: str, data: Any = None) -> None:
        self.records.append((kind, actor, subject, data))


async def say(world: World, line: str, book: Book | None = None) -> Any:
    invocation = parse(line, BUILTIN)
    ctx = replace(world.context(), ledger=book or Book())
    return await invocation.command.run(ctx, invocation.params)


async def test_a_manual_push_goes_to_the_job_s_group_and_is_marked(world: World) -> None:
    book = Book()
    reply = await say(world, "heartbeats push exercise_reminder context=desk", book)
    assert isinstance(world.heartbeats, FakeHeartbeats)
    labels = {"job": "exercise_reminder", "context": "desk"}
    assert world.heartbeats.pushed == [(labels, {MANUAL: NOW.timestamp()})]
    assert book.records == [("heartbeat", "U1", "exercise_reminder", {"labels": labels, "by_hand": True})]
    assert reply.headline == "✍️ Pushed a heartbeat for exercise_reminder (context=desk) by hand"


async def test_a_manual_push_uses_the_job_s_existing_group_name(world: World) -> None:
    book = Book()
    await say(world, "heartbeats push exercise-reminder", book)
    assert isinstance(world.heartbeats, FakeHeartbeats)
    assert world.heartbeats.pushed[0][0] == {"job": "exercise_reminder"}
    assert book.records[0][3]["labels"] == {"job": "exercise_reminder"}
    world.heartbeats.answer = Transient("no answer in 3 s")
    await say(world, "heartbeats push exercise-reminder")
    assert world.heartbeats.pushed[1][0] == {"job": "exercise-reminder"}, "nobody can tell"


async def test_a_job_s_own_metric_is_pushed_as_well(world: World) -> None:
    world.target = Target(heartbeats=(HeartbeatPolicy(job="a-job", schedule="0 * * * *", metric="own_metric"),))
    await say(world, "heartbeats push a_job")
    assert isinstance(world.heartbeats, FakeHeartbeats)
    assert world.heartbeats.pushed[0][1] == {MANUAL: NOW.timestamp(), "own_metric": NOW.timestamp()}


async def test_a_job_without_a_policy_is_reported_as_such(world: World) -> None:
    reply = await say(world, "heartbeats push nobody_knows")
    assert reply.notes[0] == "No policy is about nobody_knows: nobody is told when it stops."


async def test_a_push_that_cannot_be_recorded_is_not_made(world: World) -> None:
    with pytest.raises(Transient):
        await say(world, "heartbeats push exercise_reminder", Book(error=Transient("the disk is full")))
    assert isinstance(world.heartbeats, FakeHeartbeats)
    assert world.heartbeats.pushed == []


@pytest.mark.parametrize("words", ["", "x context", "x =desk", "x job=y", "x 1a=b", "x a=1 a=2", "x a-b=c"])
async def test_an_invalid_group_is_refused(world: World, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        await say(world, f"heartbeats push {words}")
    assert ("is the first word" in refused.value.message) == (words == "x job=y")


async def test_without_a_gateway_there_is_nothing_to_push_to(world: World) -> None:
    world.heartbeats = None
    with pytest.raises(UsageError, match="no Pushgateway"):
        await say(world, "heartbeats push x")
