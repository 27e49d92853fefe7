"""Two processes, one after the other: the first dies between two of its steps, and the next one takes over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bot.adapters.ledger.ledger import SqlLedger
from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger
from tests.services.mortal import Life, Mortal, MortalLedger
from tests.services.workbench import JONAS, PRIYA, Bench, bench, opened


@dataclass
class Succession:
    """The first process, whose ledger and cluster count its steps, and what the next one is made of."""

    one: Bench
    """The first process; it reads the ledger without counting."""
    life: Life
    ledger: SqlLedger
    how: dict[str, Any]
    """How both are made: arguments of `bench`."""
    _stack: AsyncExitStack

    async def dies(self, repair: RepairRequest, steps: int) -> None:
        """Approve the request; the first process dies after ``steps`` steps, unless it is done before."""
        self.life.ends_after(steps)
        asking = asyncio.create_task(self.one.say(repair, Choice.APPROVE, JONAS))
        await asyncio.wait([asking], timeout=5)
        for _ in range(1000):
            if self.life.dead or (await self.one.now(repair)).state.final:
                break
            await asyncio.sleep(0.002)
        tasks = tuple(self.one.executor._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(asking, *tasks, return_exceptions=True)

    async def next(self, repair: RepairRequest, connect: Callable[[Bench], None] = lambda _: None) -> Bench:
        """Start the next process, ``connect`` it, and approve the request where nobody has; no takeover yet."""
        two = bench(self.ledger, name="two", like=self.one, **self.how)
        connect(two)
        self._stack.push_async_callback(two.executor.stop, 0.1)
        if (await two.now(repair)).state is RequestState.OPEN:
            await two.say(repair, Choice.APPROVE, PRIYA)
        return two


@asynccontextmanager
async def succession(folder: Path, *, cluster: Any = None, **how: Any) -> AsyncIterator[Succession]:
    """Start the first process. ``how``: arguments of `bench` for both; ``cluster`` is shared."""
    async with AsyncExitStack() as stack:
        ledger, life = await stack.enter_async_context(opened(folder)), Life()
        one = bench(cast("Ledger", MortalLedger(ledger, life)), cluster=cluster, **how)
        one.ledger = ledger
        mortal = cast("Cluster", Mortal(one.cluster, life))
        one.executor.cluster_of = lambda _: mortal
        yield Succession(one, life, ledger, how, stack)
