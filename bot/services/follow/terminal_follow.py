"""Follows a log in a terminal: the lines go to standard output until its end, its time, or Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bot.domain.core import words
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Reply
from bot.domain.follow.pages import cut, skipped_line
from bot.domain.follow.request import End, FollowRequest
from bot.errors import Refused
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.runbook.context import Caller, Sees
from bot.services.follow.log_tail import LogTail, Shown

INTERVAL = 0.3
"""Seconds between two portions."""
MAX_WIDTH = 2_000
"""Maximum characters of a line that are shown."""


class TerminalFollow:
    """Follows one log in the foreground."""

    def __init__(
        self,
        clock: Clock,
        cluster_of: Callable[[str], Cluster],
        outside: Outside,
        write: Callable[[str], bool],
        *,
        text: bool = True,
    ) -> None:
        """``write`` prints lines, and returns whether anybody reads them; without ``text``, JSON is wanted."""
        self._clock, self._cluster_of, self._outside, self._write = clock, cluster_of, outside, write
        self._text = text
        self._count = 0

    async def start(self, request: FollowRequest, caller: Caller, sees: Sees) -> Reply:  # noqa: ARG002 - the protocol's
        """Print the lines until the end; the reply says how it ended."""
        if not self._text:
            raise Refused(
                "logs --follow prints lines as they come, which is no JSON.", remedy="Leave --output out."
            )
        began = self._clock.monotonic()
        tail = LogTail(self._cluster_of(request.target.name), request, self._clock, self._outside)
        end = await self._until_ended(tail, request.span.total_seconds())
        self._print(await tail.portion(last=True))
        took = words.age(timedelta(seconds=self._clock.monotonic() - began))
        more = ("`agentpod logs --previous` has its last lines.",) if end.previous else ()
        return Reply(
            f"Followed the log of {request.name} for {took}: {words.plural(self._count, 'line')}",
            body=(end.why, *more),
            notes=request.notes,
            posted=True,
        )

    def target_of(self, id_: str | None) -> str | None:  # noqa: ARG002 - the protocol's
        """None: Ctrl-C stops it."""
        return None

    def is_of(self, user: str, id_: str | None) -> bool:  # noqa: ARG002 - the protocol's
        """True: nobody else is here."""
        return True

    async def stop(self, *_: Any, **__: Any) -> Reply:
        """Say how it is stopped."""
        return Reply("In a terminal, Ctrl-C stops the log; in Slack, its Stop button does")

    async def _until_ended(self, tail: LogTail, seconds: float) -> End:
        interrupted = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, interrupted.set)
        reading = asyncio.create_task(tail.run(seconds))
        stopping = asyncio.create_task(interrupted.wait())
        until = self._clock.monotonic() + seconds
        try:
            while (left := until - self._clock.monotonic()) > 0:
                wait = min(INTERVAL, left)
                await asyncio.wait({reading, stopping}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                if stopping.done():
                    return End("Stopped.")
                if reading.done():
                    return reading.result()
                if not self._print(await tail.portion()):
                    return End("Nobody reads the output any more.")
            return End("Its time was over.")
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            for task in (reading, stopping):
                task.cancel()
            await asyncio.gather(reading, stopping, return_exceptions=True)

    def _print(self, shown: Shown) -> bool:
        lines = [cut(line, MAX_WIDTH) for line in shown.lines]
        self._count += len(lines)
        missing = [skipped_line(shown.skipped)] if shown.skipped else []
        missing += ["… lines left out: the log is too fast"] if shown.left_out else []
        if not missing and not lines:
            return True
        return self._write("\n".join([*missing, *lines]) + "\n")
