"""Shows one followed log in a thread: a message that is edited, and the next one once it is full."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bot.domain.core.reply import Reply
from bot.domain.follow.messages import Follow, head
from bot.domain.follow.pages import Page, Pages
from bot.domain.follow.request import End
from bot.domain.outbox.message import MessageRef
from bot.errors import AgentpodError, TimedOut, Transient, Uncertain
from bot.ports.chat import Chat
from bot.ports.clock import Clock
from bot.services.follow.log_tail import LogTail
from bot.services.follow.pace import FollowPace

logger = logging.getLogger("agentpod.follow")

MOST_UNCONFIRMED = 3
"""Empty messages that Slack may have posted without saying so."""
NOT_ALLOWED = End("Whoever began it may not read logs any more.")
NO_CONFIRMATION = "Slack did not confirm the messages of the log."


class ThreadFollow:
    """One followed log in one conversation."""

    def __init__(
        self,
        follow: Follow,
        tail: LogTail,
        chat: Chat,
        place: str,
        clock: Clock,
        pace: FollowPace,
        sharing: Callable[[], int],
        asked: Callable[[], Awaitable[str | None]],
        may_read: Callable[[], Awaitable[bool]],
    ) -> None:
        """``sharing``: how many logs share the rate of edits; ``asked``: who stopped it at another replica.

        ``may_read``: whether the one who began it may still read logs.
        """
        self.follow = follow
        self._tail, self._chat, self._place, self._clock = tail, chat, place, clock
        self._pace, self._sharing, self._asked = pace, sharing, asked
        self._may_read, self._role_seen = may_read, clock.monotonic()
        self._pages = Pages()
        self._posted: dict[int, MessageRef] = {}
        self._head: MessageRef | None = None
        self._stop = asyncio.Event()
        self._end: End | None = None
        self._last_lines = True
        self._patience = pace.end
        self._failures, self._unconfirmed, self._not_before = 0, 0, 0.0

    async def announce(self) -> None:
        """Post the message above the log. Raises AgentpodError: `Uncertain` or `TimedOut` if it may be there."""
        until = self._clock.monotonic() + self._pace.start
        while True:
            try:
                self._head = await self._chat.post(self._place, head(self.follow))
                return
            except Transient as error:
                pause = self._pause(error)
                if isinstance(error, TimedOut | Uncertain) or self._clock.monotonic() + pause > until:
                    raise
                await asyncio.sleep(pause)

    def stop(self, end: End, *, by: str = "", patience: float | None = None) -> None:
        """End it soon; the last edits are tried for ``patience`` seconds at most."""
        if self._end is None:
            self._end = end
            self.follow = replace(self.follow, stopped_by=by)
        if patience is not None:
            self._patience = min(self._patience, patience)
        self._stop.set()

    async def run(self) -> None:
        """Show the log until it ends; then say why. Never raises, except `CancelledError`."""
        end = await self._until_ended()
        self.follow = replace(self.follow, ended=self._clock.now(), end=end)
        self._last_lines = end is not NOT_ALLOWED
        await self._last_edits()

    async def _until_ended(self) -> End:
        until = self._clock.monotonic() + self.follow.request.span.total_seconds()
        reading = asyncio.create_task(self._tail.run(until - self._clock.monotonic()), name="followed-log")
        stopping = asyncio.create_task(self._stop.wait())
        try:
            seconds = self._pace.first_look
            while (left := until - self._clock.monotonic()) > 0:
                seconds = min(seconds, left)
                await asyncio.wait({reading, stopping}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                if self._end is not None:
                    return self._end
                if reading.done():
                    return reading.result()
                if not await self._still_allowed():
                    return NOT_ALLOWED
                await self._show_unless_paused()
                await self._look_for_a_stop()
                seconds = self._pace.interval * max(1, self._sharing())
            return End("Its time was over.")
        except AgentpodError as error:
            return End(" ".join([error.message, error.remedy or ""]).strip())
        except Exception:
            logger.exception("a followed log could not be shown")
            return End("Something went wrong inside agentpod; its log has the details.")
        finally:
            for task in (reading, stopping):
                task.cancel()
            await asyncio.gather(reading, stopping, return_exceptions=True)

    async def _still_allowed(self) -> bool:
        """Ask for the role anew once in a while; where it can't be read, the log goes on."""
        if self._clock.monotonic() - self._role_seen < self._pace.role:
            return True
        self._role_seen = self._clock.monotonic()
        try:
            return await self._may_read()
        except AgentpodError as error:
            logger.info("a role was not read anew: %s", error.message, extra={"follow": self.follow.id})
            return True

    async def _look_for_a_stop(self) -> None:
        """Stop where somebody asked another replica to; a ledger that is away changes nothing."""
        with contextlib.suppress(AgentpodError):
            if (by := await self._asked()) is not None:
                self.stop(End("Stopped."), by=by)

    async def _show_unless_paused(self) -> None:
        """Show what has come, unless Slack asked for a pause. Raises AgentpodError where that can't succeed."""
        if self._clock.monotonic() < self._not_before:
            return
        try:
            await self._show()
            self._failures = 0
        except Transient as error:
            self._not_before = self._clock.monotonic() + self._pause(error)
            logger.info("a followed log waits for Slack: %s", error.message)

    async def _show(self, *, last: bool = False) -> None:
        shown = await self._tail.portion(last=last)
        if shown.left_out:
            self._pages.remark("the log is too fast: lines were left out here")
        if shown.lines or shown.skipped:
            self._pages.add(shown.lines, shown.skipped)
        for page in self._pages.unsent:
            await self._send(page)
        self.follow = replace(self.follow, lines=self._pages.count, skipped=self._pages.skipped)
        if not last:
            await self._show_trouble()

    async def _show_trouble(self) -> None:
        trouble = self._tail.trouble.message if self._tail.trouble is not None else ""
        if trouble != self.follow.trouble and self._head is not None:
            changed = replace(self.follow, trouble=trouble)
            await self._chat.edit(self._head, head(changed))
            self.follow = changed

    async def _send(self, page: Page) -> None:
        """Edit a page's message. It is posted empty: then a lost answer doubles no lines."""
        at = self._posted.get(page.number)
        if at is None:
            at = self._posted[page.number] = await self._post_empty()
        await self._chat.edit(at, page.reply())
        page.sent = True

    async def _post_empty(self) -> MessageRef:
        thread = self._head.ts if self._head is not None else None
        try:
            return await self._chat.post(self._place, EMPTY, thread=thread)
        except (TimedOut, Uncertain):
            self._unconfirmed += 1
            if self._unconfirmed >= MOST_UNCONFIRMED:
                raise AgentpodError(NO_CONFIRMATION) from None
            raise

    async def _last_edits(self) -> None:
        """Show the last lines, then the end; a failure is only logged."""
        began = self._clock.monotonic()
        steps = [lambda: self._show(last=True), self._show_end] if self._last_lines else [self._show_end]
        while steps:
            try:
                await steps[0]()
                steps.pop(0)
                self._failures = 0
            except Transient as error:
                pause = self._pause(error)
                if self._clock.monotonic() + pause > began + self._patience:
                    logger.warning("the end of a followed log is not shown: %s", error.message)
                    return
                await asyncio.sleep(pause)
            except AgentpodError as error:
                logger.warning("a followed log could not be shown to its end: %s", error.message)
                steps.pop(0)
            except Exception:
                logger.exception("a followed log could not be shown to its end")
                steps.pop(0)

    async def _show_end(self) -> None:
        if self._head is not None:
            await self._chat.edit(self._head, head(self.follow))

    def _pause(self, error: Transient) -> float:
        """Seconds to wait after a failure: as Slack asks, else twice as long each time."""
        self._failures += 1
        wait = min(self._pace.longest, self._pace.slack * 2.0 ** min(self._failures - 1, 6))
        return max(wait, error.retry_after or 0.0) * random.uniform(1.0, 1.2)  # noqa: S311 - no secret


EMPTY = Reply("…", shareable=False)
"""What a message of the log says until its lines are there."""
