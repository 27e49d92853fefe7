"""Runs the deliveries of answers in the background, with a time limit and a bound on their number and size.

Each answer is delivered in a task of its own. A command waits a moment for its delivery, so that an ordinary
answer is posted when the command counts as done; a slow delivery goes on without blocking anything. Answers are
kept in memory only: messages of repairs and alerts are in the ledger, and a command can be sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

logger = logging.getLogger("agentpod.slack")

KEPT_FOR = 15 * 60.0
"""Seconds until an answer is given up. A response URL is valid for thirty minutes."""
MOST = 200
"""Maximum undelivered answers; the oldest are given up."""
MOST_BYTES = 16 << 20
"""Maximum characters of all undelivered answers, files included."""
AT_ONCE = 2.0
"""Seconds that a command waits for its own answer's delivery."""


@dataclass(eq=False)
class _MailboxEntry:
    task: asyncio.Task[None]
    size: int


@dataclass
class Mailbox:
    """The deliveries of answers that are under way."""

    lost: Callable[[str], None]
    """Called with the reason when an answer is given up."""
    kept_for: float = KEPT_FOR
    most: int = MOST
    most_bytes: int = MOST_BYTES
    _kept: list[_MailboxEntry] = field(default_factory=list)

    async def deliver(self, work: Callable[[], Coroutine[Any, Any, None]], size: int) -> None:
        """Start a delivery of ``size`` characters; return when it is done, or after `AT_ONCE` seconds."""
        kept = _MailboxEntry(asyncio.create_task(self._until_done(work), name="slack-answer"), size)
        self._kept.append(kept)
        kept.task.add_done_callback(lambda _: self._kept.remove(kept))
        self._make_place()
        await asyncio.wait({kept.task}, timeout=AT_ONCE)

    async def _until_done(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            async with asyncio.timeout(self.kept_for):
                await work()
        except TimeoutError:
            self.lost(f"Slack did not take it for {self.kept_for / 60:.0f} min")
        except Exception:
            logger.exception("an answer could not be delivered")
            self.lost("a defect")

    def _make_place(self) -> None:
        """Give up the oldest deliveries while there are too many or they are too large."""
        waiting = [k for k in self._kept if not k.task.done()]
        size = sum(k.size for k in waiting)
        for kept in waiting[:-1]:
            if len(waiting) <= self.most and size <= self.most_bytes:
                return
            kept.task.cancel()
            waiting.remove(kept)
            size -= kept.size
            self.lost("too many answers wait for Slack")

    async def finish(self, seconds: float) -> int:
        """Wait for the deliveries under way, then give up the rest; return how many were given up."""
        tasks = {k.task for k in self._kept}
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        left = [task for task in tasks if not task.done()]
        for task in left:
            task.cancel()
            self.lost("agentpod is stopping")
        await asyncio.gather(*left, return_exceptions=True)
        return len(left)
