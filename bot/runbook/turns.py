"""Limits how many memory-hungry commands run at a time: a semaphore whose waiters learn their position."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bot.errors import Transient

AT_ONCE = 2
"""Logs read at a time: each takes some 30 MiB while it is redacted and searched."""
MOST_WAITING = 40
"""Longest queue; further callers are turned away."""


class Turns:
    """A first-come, first-served semaphore with a bounded queue; tied to one event loop after the first wait."""

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        """``at_once`` run concurrently, ``most_waiting`` may queue."""
        self._free, self._most = at_once, most_waiting
        self._queue: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self, wait: Callable[[int], Awaitable[None]]) -> AsyncIterator[None]:
        """Enter when a slot is free. If none is, ``wait`` is called with the number of callers ahead.

        Raises `Transient` where the queue is full.
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
        """Leave the queue; a slot that was assigned at that very moment goes to the next waiter."""
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
