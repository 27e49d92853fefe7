"""Leases with replicas whose clocks differ, and with slow calls: nothing leased is taken over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.adapters.ledger.ledger import open_ledger
from bot.domain.approvals.approval import Choice, RequestState
from bot.services.approvals.secret_writer import UNSURE
from tests.postgres import Postgres
from tests.services.test_secret_writer import approved, ended, give, slowly
from tests.services.workbench import JONAS, OPS, Bench, Clock, bench, opened

pytestmark = pytest.mark.xdist_group("ledger")
APART = [timedelta(seconds=30), timedelta(seconds=-30)]


@pytest_asyncio.fixture(params=APART, ids=str)
async def replicas(request: pytest.FixtureRequest, postgres: Postgres) -> AsyncIterator[tuple[Bench, Bench]]:
    """Two processes on one PostgreSQL, the second one's clock ahead by ``request.param``."""
    url = postgres.create(f"apart_{APART.index(request.param)}_{id(request)}")
    async with AsyncExitStack() as stack:
        ledgers = [await open_ledger(url) for _ in range(2)]
        for ledger in ledgers:
            stack.push_async_callback(ledger.close)
        one = bench(ledgers[0])
        two = bench(ledgers[1], name="two", like=one)
        clock = Clock()
        clock.time = one.clock.time + request.param
        two.clock = two.executor.clock = two.approval_service.clock = two.outbox_worker.clock = clock
        yield one, two


async def test_slow_value_is_not_taken_over(replicas: tuple[Bench, Bench]) -> None:
    one, two = replicas
    repair = await approved(one)
    begun, goes_on = slowly(one)
    storing = asyncio.create_task(give(one, repair))
    await begun.wait()
    for _ in range(3):
        assert await two.executor.take_over() == 0
    goes_on.set()
    assert (await storing).headline.startswith("✅")
    assert (await ended(two, repair))[0] is RequestState.SUCCEEDED


async def test_leased_message_is_sent_by_one_replica(replicas: tuple[Bench, Bench]) -> None:
    one, two = replicas
    async with one.ledger.writing() as tx:
        await tx.enqueue("card:r-none", OPS)
    one.chat.lost_after = 1
    repair = await one.ask()
    sending = asyncio.create_task(one.outbox_worker.deliver())
    await one.chat.posted.wait()
    assert not await two.outbox_worker.deliver()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert len(one.chat.said) == 1
    assert repair.state is RequestState.OPEN


async def test_slow_restart_keeps_its_lease(one: Bench) -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()
    restart = one.cluster.restart

    async def slow(*given: object) -> object:
        begun.set()
        await goes_on.wait()
        return await restart(*given)  # type: ignore[arg-type]

    one.cluster.restart = slow  # type: ignore[method-assign,assignment]
    repair = await one.ask()
    deciding = asyncio.create_task(one.say(repair, Choice.APPROVE, JONAS))
    await begun.wait()
    for _ in range(3):
        one.clock.pass_(seconds=8)
        until = one.clock.now()
        await one.until(repair, lambda c, now=until: c.held is not None and c.held.until > now)
        assert await bench(one.ledger, name="two", like=one).executor.take_over() == 0
    goes_on.set()
    await deciding
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED
    assert one.cluster.sent == 1


async def test_value_is_not_called_missing_while_another_process_may_store_it(tmp_path: Path) -> None:
    async with opened(tmp_path, exclusive=False) as ledger:
        one = bench(ledger)
        repair = await approved(one)
        await one.approval_service.values.claim(repair.id, one.caller(repair.request.requester))
        one.clock.pass_(seconds=11)
        two = bench(ledger, name="two", like=one)
        assert await two.executor.take_over() == 1
        state, text = await ended(two, repair)
        assert (state, text) == (RequestState.FAILED, UNSURE)
        found = await two.now(repair)
        assert found.outcome is not None
        assert "Look before you ask again" in found.outcome.evidence[0]


async def test_late_write_of_another_process_is_found(tmp_path: Path) -> None:
    async with opened(tmp_path, exclusive=False) as ledger:
        one = bench(ledger)
        repair = await approved(one)
        await one.approval_service.values.claim(repair.id, one.caller(repair.request.requester))
        one.clock.pass_(seconds=11)
        two = bench(ledger, name="two", like=one)
        looks = 0

        async def late() -> None:
            nonlocal looks
            looks += 1
            if looks == 3:
                one.cluster.change_secret(b"x", **{"agentpod.dev/approval": repair.id})

        one.cluster.look_at_secret = late
        assert await two.executor.take_over() == 1
        assert (await ended(two, repair))[0] is RequestState.SUCCEEDED
