"""Work that is repeated at an interval."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import pytest

from bot.errors import AgentpodError, Transient
from bot.services.repeat import repeat


async def test_work_that_failed_is_reported_and_done_again() -> None:
    away, failures, calls = Transient("The ledger is away."), list[AgentpodError](), list[int]()
    done = asyncio.Event()

    async def work() -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise away
        if len(calls) == 3:
            done.set()

    repeated = asyncio.create_task(repeat(work, timedelta(), failures.append))
    await asyncio.wait_for(done.wait(), 5)
    repeated.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await repeated
    assert (failures, calls[:3]) == ([away], [0, 1, 2])


async def test_what_is_no_failure_of_a_port_ends_it() -> None:
    async def work() -> None:
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        await repeat(work, timedelta(), lambda _: None)
