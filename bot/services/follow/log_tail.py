"""The lines of a followed log as people may see them: redacted, then filtered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from bot.domain.core.outside import Outside
from bot.domain.follow.request import End, FollowRequest
from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.services.follow.log_reader import LogReader
from bot.services.follow.pace import USUAL, FollowPace


@dataclass(frozen=True)
class Shown:
    """Lines to show, how many are missing before them, and whether others are missing that nobody counted."""

    lines: tuple[str, ...] = ()
    skipped: int = 0
    left_out: bool = False


class LogTail:
    """A log that is read in one task and shown in another."""

    def __init__(
        self, cluster: Cluster, request: FollowRequest, clock: Clock, outside: Outside, pace: FollowPace = USUAL
    ) -> None:
        """``outside`` redacts."""
        self._reader = LogReader(cluster, request, clock, pace)
        self._request, self._clock, self._outside = request, clock, outside
        self._started = False

    @property
    def trouble(self) -> AgentpodError | None:
        """Why no lines come now; None while the log is read."""
        return self._reader.trouble

    async def run(self, seconds: float) -> End:
        """Read until the container's run has ended. Raises what can't be waited for, such as `NotAllowed`."""
        return await self._reader.run(seconds)

    async def portion(self, *, last: bool = False) -> Shown:
        """Return the lines that have come; with ``last`` also those that wait for the end of a private key.

        They are redacted before they are searched, so that no pattern can probe for a secret.
        """
        window = self._reader.window
        if not self._started and window.received:
            self._started = True
            if self._reader.tail is not None:
                window.start_at(self._reader.tail)
        portion = window.take(self._clock.monotonic(), last=last)
        self._reader.portion_taken()
        left_out, self._reader.left_out = self._reader.left_out, False
        if not portion.new:
            return Shown((), portion.skipped, left_out)
        # In a thread: redacting much text takes long enough to hold up others.
        clean = await asyncio.to_thread(self._outside.lines, portion.lines, self._request.secrets)
        lines = clean.lines[-portion.new :]
        if self._request.select is not None:
            lines = tuple(lines[number] for number in await self._request.select(lines))
        return Shown(lines, portion.skipped, left_out)
