"""Sends alerts before answers in the same channel, where Slack accepts about one message a second.

Answers are posted to a channel one at a time, and not while one of the bot's own messages waits for that channel.
So a flood of commands delays an alert by one answer at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator

from bot.errors import Transient

GRACE = 5.0
"""Seconds for which a rate-limited message keeps its precedence after the pause that Slack asked for."""
LONGEST = 60.0
"""Maximum seconds of a precedence, so that answers don't wait for a message that is never sent."""


class Precedence:
    """Decides who may post to a channel now."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` returns seconds."""
        self._clock = clock
        self._sending: dict[str, int] = {}
        self._refused: dict[str, float] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    @contextlib.contextmanager
    def first(self, channel: str) -> Iterator[None]:
        """Hold back answers while one of the bot's own messages is posted, and for a while if Slack defers it."""
        self._sending[channel] = self._sending.get(channel, 0) + 1
        try:
            yield
        except Transient as error:
            self._refused[channel] = self._clock() + min((error.retry_after or 0.0) + GRACE, LONGEST)
            raise
        else:
            self._refused.pop(channel, None)
        finally:
            self._sending[channel] -= 1
            if not self._sending[channel]:
                del self._sending[channel]

    @contextlib.asynccontextmanager
    async def turn(self, channel: str) -> AsyncIterator[None]:
        """Wait until an answer may be posted, and hold back others meanwhile."""
        async with self._turns.setdefault(channel, asyncio.Lock()):
            until = self._clock() + LONGEST
            while self._must_wait(channel) and self._clock() < until:  # noqa: ASYNC110 - it ends with time as well
                await asyncio.sleep(0.05)
            yield

    def _must_wait(self, channel: str) -> bool:
        return channel in self._sending or self._refused.get(channel, 0.0) > self._clock()
