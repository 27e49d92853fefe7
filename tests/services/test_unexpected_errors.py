"""An unexpected exception while a repair is carried out ends it with the truth about what was sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.repair import RepairRequest
from tests.services.workbench import JONAS, Bench, bench, opened, said

WHY = "unexpected ValueError, see the bot's log"
DEFECT = ValueError("no idea what to do with hunter2")


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        made = bench(ledger)
        yield made
        await made.executor.stop(1)


async def approved(one: Bench, *, force: bool = False) -> RepairRequest:
    repair = await one.ask(force=force)
    await one.say(repair, Choice.APPROVE, JONAS)
    return repair


@pytest.mark.parametrize("force", [False, True])
async def test_a_read_that_breaks_ends_it_with_nothing_changed_and_others_can_follow(
    one: Bench, force: bool
) -> None:
    one.cluster.reads = [DEFECT]
    ended = await one.ended(await approved(one, force=force))
    assert (ended.state, said(ended)) == (RequestState.FAILED, f"nothing was changed: {WHY}")
    assert one.cluster.sent == 0
    again = await one.ended(await approved(one, force=force))
    assert again.state is RequestState.SUCCEEDED


@pytest.mark.parametrize("force", [False, True])
async def test_a_call_that_breaks_is_never_repeated_nor_called_undone(one: Bench, force: bool) -> None:
    one.cluster.before = [DEFECT]
    ended = await one.ended(await approved(one, force=force))
    assert ended.state is RequestState.FAILED
    assert said(ended) == f"it may have been sent, and nobody knows whether it was done: {WHY}"
    assert one.cluster.sent == 1


async def test_a_call_that_breaks_after_it_took_effect_is_found(one: Bench) -> None:
    one.cluster.after = [DEFECT]
    ended = await one.ended(await approved(one))
    assert (ended.state, one.cluster.sent) == (RequestState.SUCCEEDED, 1)


async def test_following_that_breaks_once_is_resumed(one: Bench) -> None:
    one.cluster.reads = [None, DEFECT]
    repair = await approved(one)
    await one.idle(repair)
    assert (await one.now(repair)).state is RequestState.EXECUTING
    one.clock.pass_(seconds=11)
    assert await one.executor.take_over() == 1
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED


async def test_following_that_breaks_again_and_again_ends_when_its_time_is_over(one: Bench) -> None:
    one.cluster.reads = [None, *[DEFECT] * 10_000]
    repair = await approved(one)
    await one.idle(repair)
    one.clock.pass_(minutes=10)
    assert await one.executor.take_over() == 1
    await one.idle(repair)
    assert (await one.now(repair)).state is RequestState.EXECUTING
    one.clock.pass_(minutes=6)
    assert await one.executor.take_over() == 1
    ended = await one.ended(repair)
    assert (ended.state, one.cluster.sent) == (RequestState.FAILED, 1)
    assert said(ended) == f"it was sent, and could not be followed: {WHY}"
