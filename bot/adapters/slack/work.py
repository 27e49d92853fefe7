"""Acknowledgements first: work starts when no request waits for its own, and only so much runs at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

logger = logging.getLogger("agentpod.slack")

HOLD = 0.5
"""Longest that work is held back for others' acknowledgements, in seconds."""
AT_ONCE = 16
"""Commands worked on at the same time; others queue."""


class Workers:
    """Runs requests after their acknowledgement."""

    def __init__(self, at_once: int = AT_ONCE, hold: float = HOLD) -> None:
        """``queued`` can be set to say how many frames are still unread."""
        self._slots = asyncio.Semaphore(at_once)
        self._hold = hold
        self._waiting = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.unread: Callable[[], bool] = lambda: False

    @contextlib.contextmanager
    def acknowledging(self) -> Iterator[None]:
        """While a request waits for its acknowledgement, no work starts."""
        self._waiting += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._idle.set()

    def start(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Run ``work`` in the background, in the present context, when its turn comes."""
        task = asyncio.get_running_loop().create_task(self._run(work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._hold):
                await self._quiet()
        async with self._slots:
            try:
                await work()
            except Exception:
                logger.exception("request failed")

    async def _quiet(self) -> None:
        while True:
            await self._idle.wait()
            await asyncio.sleep(0)
            if not self._waiting and not self.unread():
                return
            await asyncio.sleep(0.005)

    async def drain(self, seconds: float) -> int:
        """Wait for what runs; gives how many were still running after that time."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=seconds)
        return len(self._tasks)

    async def cancel(self) -> None:
        """Stop what still runs."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
