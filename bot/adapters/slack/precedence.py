"""Alerts before answers, where both are posted into one channel: Slack takes about one message a second there.

Answers to a channel go one at a time, and none while a message of the bot's own waits for that channel. So a flood
of commands there delays an alert by one answer, and not by all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator

from bot.errors import Transient

GRACE = 5.0
"""Seconds for which a refused message keeps its precedence after the pause that Slack asked for."""
LONGEST = 60.0
"""And in all, so that answers wait for nothing that never comes."""


class Precedence:
    """Who may post into which channel now."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds."""
        self._clock = clock
        self._sending: dict[str, int] = {}
        self._refused: dict[str, float] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    @contextlib.contextmanager
    def first(self, channel: str) -> Iterator[None]:
        """While a message of the bot's own is being posted, and for a time after Slack asked it to wait."""
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
        """The turn of an answer, once it comes."""
        async with self._turns.setdefault(channel, asyncio.Lock()):
            until = self._clock() + LONGEST
            while self._owed(channel) and self._clock() < until:  # noqa: ASYNC110 - it ends by time, too
                await asyncio.sleep(0.05)
            yield

    def _owed(self, channel: str) -> bool:
        return channel in self._sending or self._refused.get(channel, 0.0) > self._clock()
