"""Background tasks don't poll an idle ledger: commits wake them, also those of another process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.domain.approvals.approval import RequestState
from bot.services.approvals.recovery import RequestRecovery
from tests.services.workbench import OPS, Bench, bench, opened


@asynccontextmanager
async def running(one: Bench) -> AsyncIterator[None]:
    """The outbox worker and the recovery task of an idle bot."""
    works = (
        one.outbox_worker.run(),
        RequestRecovery(one.approval_service, one.executor).run(),
        one.ledger.watch(),
    )
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_commit_of_this_process_wakes_the_worker_at_once(one: Bench) -> None:
    async with running(one), asyncio.timeout(5):
        await asyncio.sleep(0.05)
        async with one.ledger.writing() as tx:
            await tx.enqueue("card:r-none", OPS)  # nobody calls wake()
        while await one.ledger.waiting():  # noqa: ASYNC110 - the ledger's count is what is tested
            await asyncio.sleep(0.005)


async def test_transaction_that_writes_nothing_wakes_nobody(one: Bench) -> None:
    woken: list[bool] = []
    one.ledger.on_change(lambda: woken.append(True))
    async with one.ledger.writing() as tx:
        await tx.mark("nothing")
    assert woken == []
    async with one.ledger.writing() as tx:
        await tx.set_mark("something", "1")
    assert woken == [True]


async def test_commit_of_another_process_wakes_the_worker(tmp_path: Path) -> None:
    async with opened(tmp_path) as mine, opened(tmp_path, exclusive=False) as terminals:
        one, terminal = bench(mine), bench(terminals)
        async with running(one), asyncio.timeout(8):
            await terminal.ask()
            await one.chat.posted.wait()


async def test_request_expires_without_any_other_event(one: Bench) -> None:
    repair = await one.ask()
    one.clock.time = repair.request.expires_at
    async with running(one):
        assert (await one.ended(repair)).state is RequestState.EXPIRED
