"""Work that is repeated at an interval, whatever becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from bot.errors import AgentpodError


async def repeat(
    work: Callable[[], Awaitable[object]], every: timedelta, failed: Callable[[AgentpodError], None]
) -> None:
    """Do the work now, and again ``every`` so long after it ended, until cancelled.

    ``failed`` is given what it raised: a ledger or a source that is away is tried again the next time.
    """
    while True:
        try:
            await work()
        except AgentpodError as error:
            failed(error)
        await asyncio.sleep(every.total_seconds())
