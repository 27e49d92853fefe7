"""Runs requests after all acknowledgements: users take turns, and the number of running requests is limited."""

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
"""Maximum seconds that work waits for other requests' acknowledgements."""
BURST = 0.05
"""Acknowledgements at most this many seconds apart count as a burst, of which more are to be expected."""
CALM = 0.025
"""Seconds without another acknowledgement after which a burst is over and work starts."""
SPACING = 0.1
"""Minimum seconds between two starts of work that has waited for `HOLD` and would delay acknowledgements."""
AT_ONCE = 16
"""Maximum concurrent commands that call the cluster or another server."""
QUICK_AT_ONCE = 64
"""Maximum concurrent commands that read only the ledger; they have a lane of their own."""
EACH = 4
"""Maximum concurrent commands of one user in a lane."""
MOST_WAITING = 20
"""Maximum waiting commands of one user in a lane; further ones are refused."""

Work = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class _Job:
    work: Work
    name: str
    context: Context


class Lane:
    """A queue with a limit of concurrent jobs, in which users take turns however many jobs each has waiting."""

    def __init__(self, start: Callable[[_Job], asyncio.Task[None]], at_once: int) -> None:
        """``start`` creates a job's task; ``at_once`` is the limit of concurrent jobs."""
        self._start, self._at_once = start, at_once
        self._waiting: OrderedDict[str, deque[_Job]] = OrderedDict()
        self._running: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """The number of jobs that have not started."""
        return sum(len(jobs) for jobs in self._waiting.values())

    def add(self, who: str, job: _Job) -> bool:
        """Queue a job; return False if that user has too many waiting."""
        jobs = self._waiting.get(who, deque())
        if len(jobs) >= MOST_WAITING:
            return False
        jobs.append(job)
        self._waiting.setdefault(who, jobs)
        self._fill()
        return True

    def waits(self, who: str) -> bool:
        """Whether a user has jobs that have not started."""
        return who in self._waiting

    def _fill(self) -> None:
        while self._running.total() < self._at_once and (found := self._next()):
            who, job = found
            self._running[who] += 1
            self._start(job).add_done_callback(partial(self._finished, who))

    def _next(self) -> tuple[str, _Job] | None:
        """Return the next job of the user whose turn it is, and move that user to the end."""
        for who, jobs in self._waiting.items():
            if self._running[who] < EACH:
                job = jobs.popleft()
                if jobs:
                    self._waiting.move_to_end(who)
                else:
                    del self._waiting[who]
                return who, job
        return None

    def _finished(self, who: str, _: asyncio.Task[None]) -> None:
        self._running[who] -= 1
        if not self._running[who]:
            del self._running[who]
        self._fill()

    def clear(self) -> None:
        """Drop the jobs that have not started."""
        self._waiting.clear()


class Workers:
    """Runs requests after their acknowledgement."""

    def __init__(
        self, at_once: int = AT_ONCE, hold: float = HOLD, calm: float = CALM, spacing: float = SPACING
    ) -> None:
        """``hold``, ``calm``, ``spacing`` in seconds. ``unread`` can be set to say whether frames are unread."""
        self._slow, self._quick = Lane(self._task, at_once), Lane(self._task, QUICK_AT_ONCE)
        self._hold, self._calm, self._spacing = hold, calm, spacing
        self._acknowledging = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._last_ack, self._burst = 0.0, False
        self._held_up = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self.unread: Callable[[], bool] = lambda: False

    @contextlib.contextmanager
    def acknowledging(self) -> Iterator[None]:
        """Hold back work while a request waits for its acknowledgement."""
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
        """Run ``work`` in the background, in the current context, when it is the turn of ``who``.

        ``quick``: it calls no other server. Returns False if too much of that user's work is waiting.
        """
        lane = self._quick if quick else self._slow
        return lane.add(who or name, _Job(work, name, copy_context()))

    def waits(self, who: str) -> bool:
        """Whether a user has work that has not started."""
        return self._slow.waits(who) or self._quick.waits(who)

    def _task(self, job: _Job) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._run(job.work), name=job.name, context=job.context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self, work: Work) -> None:
        try:
            async with asyncio.timeout(self._hold):
                await self._quiet()
        except TimeoutError:
            async with self._held_up:  # together they would hold up the acknowledgements that come meanwhile
                await asyncio.sleep(self._spacing)
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
        """Whether a burst of requests is still going on; work for a single request starts at once."""
        return self._burst and asyncio.get_running_loop().time() - self._last_ack < self._calm

    async def drain(self, seconds: float) -> int:
        """Wait for all running and waiting work; return how much is left after ``seconds``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(tuple(self._tasks))
        return len(self._tasks) + self._slow.waiting + self._quick.waiting

    def interrupt(self) -> None:
        """Cancel the running work; waiting work takes its place."""
        for task in tuple(self._tasks):
            task.cancel()

    async def cancel(self) -> None:
        """Cancel running work and drop waiting work."""
        self._slow.clear()
        self._quick.clear()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
