"""What takes much memory is done a few at a time: the others wait for their turn, and are told."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bot.errors import Transient

AT_ONCE = 2
"""Logs read at a time: each takes some thirty MiB while it is redacted and searched."""
MOST_WAITING = 40
"""Who comes after so many is turned away."""


class Turns:
    """First come, first served; belongs to one event loop from the first wait on."""

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        """Everybody's turn at first."""
        self._free, self._most = at_once, most_waiting
        self._queue: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self, wait: Callable[[int], Awaitable[None]]) -> AsyncIterator[None]:
        """Do something when its turn comes. ``wait`` is told how many are before, if anybody is.

        Raises Transient where too many wait already.
        """
        await self._acquire(wait)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, wait: Callable[[int], Awaitable[None]]) -> None:
        if self._free:
            self._free -= 1
            return
        if len(self._queue) >= self._most:
            raise Transient(
                f"{len(self._queue)} others wait for a log already, and nothing was read.",
                remedy="Try again in a minute.",
            )
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(mine)
        try:
            await wait(len(self._queue) - 1)
            await mine
        except BaseException:
            self._leave(mine)
            raise

    def _leave(self, mine: asyncio.Future[None]) -> None:
        """Give up waiting: a turn that came at that very moment goes to the next."""
        if mine.done() and not mine.cancelled():
            self._release()
        elif mine in self._queue:
            self._queue.remove(mine)

    def _release(self) -> None:
        while self._queue:
            following = self._queue.popleft()
            if not following.done():
                following.set_result(None)
                return
        self._free += 1
