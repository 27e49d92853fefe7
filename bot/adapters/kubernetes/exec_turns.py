"""Limits the commands that run in one pod at a time, and shares one that several ask for at the same moment.

Twenty people who ask for `storage` at once start one ``du``, not twenty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from bot.domain.core.workload import ExecResult
from bot.errors import TimedOut

AT_ONCE = 4
"""Most commands in flight in one pod."""

Run = Callable[[], Awaitable[ExecResult]]


@dataclass
class _Shared:
    task: asyncio.Task[ExecResult]
    waiting: int = 0


class ExecTurns:
    """The commands that run now. They only read: one that changes something must not be shared."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._running: dict[Hashable, _Shared] = {}
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._users: dict[str, int] = {}

    async def run(self, pod: str, key: Hashable, run: Run) -> ExecResult:
        """Return the result of ``run``, or of the same command that runs already.

        ``pod`` is whose turn it takes. Who joined late and sees the other's deadline pass runs it again.
        """
        shared = self._running.get(key)
        if shared is None:
            return await self._wait(key, self._start(pod, key, run))
        try:
            return await self._wait(key, shared)
        except TimedOut:
            return await self.run(pod, key, run)

    def _start(self, pod: str, key: Hashable, run: Run) -> _Shared:
        task = asyncio.get_running_loop().create_task(self._in_turn(pod, run), name=f"exec in {pod}")
        shared = self._running[key] = _Shared(task)
        task.add_done_callback(lambda _: self._ended(key, shared))
        return shared

    def _ended(self, key: Hashable, shared: _Shared) -> None:
        if self._running.get(key) is shared:
            del self._running[key]
        if not shared.task.cancelled():
            shared.task.exception()  # whoever waited has seen it

    async def _wait(self, key: Hashable, shared: _Shared) -> ExecResult:
        """Wait for a command; it is ended when nobody waits for it any more."""
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting and not shared.task.done():
                self._ended_early(key, shared)

    def _ended_early(self, key: Hashable, shared: _Shared) -> None:
        if self._running.get(key) is shared:
            del self._running[key]
        shared.task.cancel()

    async def _in_turn(self, pod: str, run: Run) -> ExecResult:
        turns = self._turns.setdefault(pod, asyncio.Semaphore(AT_ONCE))
        self._users[pod] = self._users.get(pod, 0) + 1
        try:
            async with turns:
                return await run()
        finally:
            self._users[pod] -= 1
            if not self._users[pod]:  # pods come and go
                del self._users[pod], self._turns[pod]
