"""Reads a container's log as it is written, over broken connections, until the container's run has ended."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import aclosing
from datetime import timedelta

from bot.domain.core.workload import LogLine, LogStart
from bot.domain.follow.position import LogPosition
from bot.domain.follow.request import TAIL, End, FollowRequest, end_of_log
from bot.domain.follow.window import CONTEXT_LINES, Window
from bot.errors import AgentpodError, NotAllowed, NotFound, Transient
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.services.follow.pace import USUAL, FollowPace

LOOKS = 4
"""How often the pod is read after the end of its log: its status follows a second or two later."""
MOST_RECEIVED = 1024 * 1024
"""Characters between two portions, beyond which the log waits."""
PATIENCE = 3
"""Portions in a row that the log may have to wait for, until it is read from its end."""
NEWEST = timedelta(seconds=1)
"""What is read of a log that is too fast to be read whole."""


class LogReader:
    """Reads one log into a window."""

    def __init__(self, cluster: Cluster, request: FollowRequest, clock: Clock, pace: FollowPace = USUAL) -> None:
        """Read nothing yet."""
        self._cluster, self._request, self._clock = cluster, request, clock
        self._began = clock.monotonic()
        self._position = LogPosition()
        self._behind = False
        self._opened = False
        self._refused_at: float | None = None
        self._room = asyncio.Event()
        self._waiting, self._waits = False, 0
        self._pace, self._pause = pace, pace.reconnect
        self.window = Window()
        self.trouble: AgentpodError | None = None
        """Why no lines come now; None while the log is read."""
        self.left_out = False
        """Whether lines were not even counted, since the log is too fast; whoever shows that resets it."""

    @property
    def tail(self) -> int | None:
        """How many lines to show of what was written before; None for all since the requested time."""
        request = self._request
        return request.tail if request.tail is not None or request.since is not None else TAIL

    def portion_taken(self) -> None:
        """Go on reading, where the log waits for its lines to be shown."""
        self._waits = self._waits + 1 if self._waiting else 0
        self._room.set()

    async def run(self, seconds: float) -> End:
        """Read until the container's run has ended. Raises what can't be waited for, such as `NotAllowed`."""
        until = self._clock.monotonic() + seconds
        while True:
            end = await self._stretch(max(1.0, until - self._clock.monotonic()))
            if end is not None:
                return end
            await asyncio.sleep(self._pause * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
            self._pause = min(self._pause * 2, self._pace.longest)

    async def _stretch(self, seconds: float) -> End | None:
        """Read one stream; the end if that was the log's, None to open another one."""
        self._opened = False
        try:
            await self._stream(seconds)
            return None if self._behind else await self._ended(LOOKS)
        except NotFound as error:
            return await self._ended(1) or End(error.message)
        except NotAllowed as error:
            if not self._may_pass():
                raise
            self.trouble = error
        except Transient as error:
            if not self._opened:
                self.trouble = error
            return await self._ended(1)
        return None

    async def _stream(self, seconds: float) -> None:
        after, tail, since = self._position.since, None, None
        self._position.resume()
        if self._behind:
            self._behind, since = False, NEWEST
        elif after is None:
            tail = None if self.tail is None else self.tail + CONTEXT_LINES
            gone = timedelta(seconds=self._clock.monotonic() - self._began)
            since = None if self._request.since is None else self._request.since + gone
        pod, container = self._request.pod.name, self._request.container
        stream = self._cluster.follow_log(pod, container, LogStart(since, after, tail), seconds)
        async with aclosing(stream):
            async for lines in stream:
                self._opened, self.trouble, self._refused_at = True, None, None
                await self._take(lines)
                if self._behind:
                    return

    async def _take(self, lines: Sequence[LogLine]) -> None:
        """Put the lines into the window; wait for room where the log is too fast."""
        if lines:
            self._pause = self._pace.reconnect
        self.window.add(self._position.unread(lines))
        if self.window.received <= MOST_RECEIVED:
            return
        self._room.clear()
        self._waiting = True
        await self._room.wait()
        self._waiting = False
        if self._waits >= PATIENCE:
            self._waits, self._behind, self.left_out = 0, True, True
            self._position = LogPosition()

    async def _ended(self, looks: int) -> End | None:
        """Whether the container's run has ended, by ``looks`` looks at its pod."""
        for number in range(looks):
            if number:
                await asyncio.sleep(self._pace.reconnect * 2 ** (number - 1))
            try:
                pods = await self._cluster.pods(self._request.target.selector)
            except Transient as error:
                self.trouble = error
                continue
            except NotAllowed:
                if not self._may_pass():
                    raise
                continue
            if (end := end_of_log(pods, self._request.pod, self._request.container)) is not None:
                return end
        return None

    def _may_pass(self) -> bool:
        """Whether a refusal is so young that the API server may not have loaded its rules yet."""
        now = self._clock.monotonic()
        self._refused_at = now if self._refused_at is None else self._refused_at
        return now - self._refused_at < self._pace.settling
