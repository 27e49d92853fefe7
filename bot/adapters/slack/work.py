"""Acknowledgements first: work starts when no request waits for its own, in turns, and only so much at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any

logger = logging.getLogger("agentpod.slack")

HOLD = 0.5
"""Longest that work is held back for others' acknowledgements, in seconds."""
BURST = 0.01
"""Seconds between two acknowledgements of which more are to be expected."""
CALM = 0.005
"""Seconds without another one after which work begins all the same."""
AT_ONCE = 16
"""Commands worked on at the same time that ask something of the cluster or another server."""
QUICK_AT_ONCE = 64
"""And such as ask nothing but the ledger: they wait for none of the others."""
EACH = 4
"""How many of one person are worked on at the same time."""
MOST_WAITING = 20
"""How many of one person wait for that; further ones are not taken."""

Work = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class _Job:
    work: Work
    name: str
    context: Context


class Lane:
    """Work that shares a limit. People take turns, however much each of them has waiting."""

    def __init__(self, start: Callable[[_Job], asyncio.Task[None]], at_once: int) -> None:
        """``start`` makes a job's task."""
        self._start, self._at_once = start, at_once
        self._waiting: OrderedDict[str, deque[_Job]] = OrderedDict()
        self._running: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """How many jobs have not begun."""
        return sum(len(jobs) for jobs in self._waiting.values())

    def add(self, who: str, job: _Job) -> bool:
        """Take a job; says whether it is taken: not where that person has too many waiting."""
        jobs = self._waiting.get(who, deque())
        if len(jobs) >= MOST_WAITING:
            return False
        jobs.append(job)
        self._waiting.setdefault(who, jobs)
        self._fill()
        return True

    def waits(self, who: str) -> bool:
        """Whether a person has jobs that have not begun."""
        return who in self._waiting

    def _fill(self) -> None:
        while self._running.total() < self._at_once and (found := self._next()):
            who, job = found
            self._running[who] += 1
            self._start(job).add_done_callback(partial(self._over, who))

    def _next(self) -> tuple[str, _Job] | None:
        """The next job of whoever's turn it is; who was served goes to the end."""
        for who, jobs in self._waiting.items():
            if self._running[who] < EACH:
                job = jobs.popleft()
                if jobs:
                    self._waiting.move_to_end(who)
                else:
                    del self._waiting[who]
                return who, job
        return None

    def _over(self, who: str, _: asyncio.Task[None]) -> None:
        self._running[who] -= 1
        if not self._running[who]:
            del self._running[who]
        self._fill()

    def clear(self) -> None:
        """Forget what has not begun."""
        self._waiting.clear()


class Workers:
    """Runs requests after their acknowledgement."""

    def __init__(self, at_once: int = AT_ONCE, hold: float = HOLD, calm: float = CALM) -> None:
        """``unread`` can be set to say whether frames are still unread. ``hold`` and ``calm`` in seconds."""
        self._slow, self._quick = Lane(self._task, at_once), Lane(self._task, QUICK_AT_ONCE)
        self._hold, self._calm = hold, calm
        self._acknowledging = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._last_ack, self._burst = 0.0, False
        self._tasks: set[asyncio.Task[None]] = set()
        self.unread: Callable[[], bool] = lambda: False

    @contextlib.contextmanager
    def acknowledging(self) -> Iterator[None]:
        """While a request waits for its acknowledgement, no work starts."""
        self._acknowledging += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._acknowledging -= 1
            now = asyncio.get_running_loop().time()
            self._last_ack, self._burst = now, now - self._last_ack < BURST
            if not self._acknowledging:
                self._idle.set()

    def start(self, work: Work, name: str, who: str = "", *, quick: bool = False) -> bool:
        """Run ``work`` in the background, in the present context, when it is the turn of ``who``.

        ``quick``: it asks nothing of another server. Says whether it is taken: not where too much of theirs waits.
        """
        lane = self._quick if quick else self._slow
        return lane.add(who or name, _Job(work, name, copy_context()))

    def waits(self, who: str) -> bool:
        """Whether something of a person has not begun."""
        return self._slow.waits(who) or self._quick.waits(who)

    def _task(self, job: _Job) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._run(job.work), name=job.name, context=job.context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self, work: Work) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._hold):
                await self._quiet()
        try:
            await work()
        except Exception:
            logger.exception("request failed")

    async def _quiet(self) -> None:
        while True:
            await self._idle.wait()
            await asyncio.sleep(0)
            if not self._acknowledging and not self.unread() and not self._more_expected():
                return
            await asyncio.sleep(0.005)

    def _more_expected(self) -> bool:
        """Whether a burst of requests still goes on; one that comes alone is worked on at once."""
        return self._burst and asyncio.get_running_loop().time() - self._last_ack < self._calm

    async def drain(self, seconds: float) -> int:
        """Wait for what runs and waits; gives how many were not over after that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(tuple(self._tasks))
        return len(self._tasks) + self._slow.waiting + self._quick.waiting

    async def cancel(self) -> None:
        """Stop what still runs, and begin nothing."""
        self._slow.clear()
        self._quick.clear()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
