"""Delivers pending messages to their sinks.

A row of the outbox has no text. The worker leases rows that are due, renders each from the ledger's current state,
and gives it to its sink: so a message that changed while its sink was down is sent once, as it is now. Messages of
one place are sent one after the other, places concurrently.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.domain.core.registry import Registry
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.errors import AgentpodError, NotAllowed, NotFound, Permanent, TimedOut, Transient, Uncertain, unexpected
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger
from bot.ports.sinks import Sink
from bot.services.outbox.kind import MessageKind

logger = logging.getLogger("agentpod.delivery")

LOOK = 1.0
"""Seconds until a ledger that can't be reached is tried again."""
IDLE = 10.0
"""Longest wait between two passes, in seconds; a commit or the next retry's time starts one earlier."""
SOONEST = 0.05
"""Shortest wait between two passes, in seconds."""
SENDING = 15.0
"""Seconds for sending one message, with its pictures."""
LEASE = timedelta(seconds=25)
"""Lease on a message. No attempt begins that might outlast it: another process would send the message too."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
"""Seconds before the first retry, and before the later ones at most."""
GIVE_UP = timedelta(days=1)
"""When a message whose place refuses it is given up. It is listed as undelivered from the first refusal on, and
retried until then: somebody may invite the bot, or fix its token."""
SLOW = "Its turn came too late, and nothing was sent."
PAUSED = "It failed there just now, or a pause was asked for, and nothing was sent."


class Deferred(Transient):
    """Nothing was tried: the place is paused or the lease too short. Due again after ``retry_after`` seconds."""


@dataclass
class OutboxWorker:
    """Delivers pending messages; see the module."""

    ledger: Ledger
    clock: Clock
    kinds: Registry[MessageKind]
    """How messages are rendered, and their sinks' names."""
    sinks: Registry[Sink]
    observe: Callable[[str, str], None] = lambda _kind, _outcome: None
    """Called after each attempt with the message's kind, and ``ok``, ``dropped``, ``retry`` or ``dead``."""
    dice: Callable[[], float] = random.random
    """Random numbers from 0 to 1, for jitter."""
    sending: float = SENDING
    lease: timedelta = LEASE
    _kick: asyncio.Event = field(default_factory=asyncio.Event)
    _unrecorded: dict[str, tuple[OutboxMessage, MessageRef]] = field(default_factory=dict)
    """Posted messages whose place the ledger hasn't recorded yet, since it couldn't be reached."""
    _pauses: dict[str, datetime] = field(default_factory=dict)
    """Place → until when nothing is sent there."""
    _ahead: timedelta = timedelta()
    """How far the ledger's clock is ahead of this process's."""
    _copies: dict[str, int] = field(default_factory=dict)
    """Place → attempts in a row with an unknown result, each of which may have left a copy."""

    def wake(self) -> None:
        """Start a pass now: a message was enqueued."""
        self._kick.set()

    async def run(self) -> None:
        """Deliver until cancelled. While the ledger can't be reached, retry with backoff."""
        self.ledger.on_change(self.wake)
        away = LOOK
        while True:
            self._kick.clear()
            try:
                busy = await self.deliver()
                pause, away = 0.0 if busy else await self._until_due(), LOOK
            except Transient as error:
                logger.warning("nothing can be delivered: %s", error.message)
                busy, away = False, LOOK if self._unrecorded else min(away * 2, 30.0)
                pause = away
            if not busy:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._kick.wait()

    async def _until_due(self) -> float:
        """Seconds until a retry or the end of a pause, from `SOONEST` to `IDLE`."""
        now = self.clock.now()
        due = await self.ledger.next_due(now + self._ahead)
        times = [*self._pauses.values(), *([due - self._ahead] if due else [])]
        return min([IDLE, *(max(SOONEST, (at - now).total_seconds()) for at in times)])

    async def finish(self, seconds: float) -> None:
        """Send what is due before a stop, for at most ``seconds``."""
        with contextlib.suppress(AgentpodError, TimeoutError):
            async with asyncio.timeout(seconds):
                while await self.deliver():
                    pass

    async def deliver(self) -> bool:
        """Send what is due now; returns whether anything was due. Raises `Transient` as the ledger does."""
        for delivery, posted in list(self._unrecorded.values()):
            await self._record(delivery, posted)
        now = self.clock.now()
        self._pauses = {place: until for place, until in self._pauses.items() if until > now}
        last_start = _seconds() + self.lease.total_seconds() - self.sending
        there = await self.ledger.now(now)
        self._ahead = there - now
        due = await self.ledger.take(there, self.lease, without=self._pauses)
        places: dict[str, list[OutboxMessage]] = {}
        for delivery in due:
            places.setdefault(delivery.place, []).append(delivery)
        await asyncio.gather(*(self._in_turn(these, last_start) for these in places.values()))
        return bool(due)

    async def _in_turn(self, these: Sequence[OutboxMessage], last_start: float) -> None:
        """Send the messages of one place in order. Once the place is paused, the rest is deferred too."""
        away: Transient | None = None
        for delivery in these:
            try:
                await self._one(delivery, last_start)
            except Transient as error:  # the ledger can't be reached: leased messages are sent all the same
                away = error
        if away is not None:
            raise away

    async def _one(self, delivery: OutboxMessage, last_start: float) -> None:
        name = delivery.key.kind
        try:
            posted = await self._sent(delivery, last_start)
        except Exception as caught:
            refused = await self._later(delivery, _as_known(caught, delivery))
            self.observe(name, "dead" if refused else "retry")
        else:
            if posted is None:
                await self.ledger.dropped(delivery)
            else:
                self._copies.pop(delivery.place, None)
                self._unrecorded[delivery.key] = (delivery, posted)
                await self._record(delivery, posted)
                if delivery.posted is None:
                    await self._kind(name).arrived(delivery)
            self.observe(name, "dropped" if posted is None else "ok")

    async def _record(self, delivery: OutboxMessage, posted: MessageRef) -> None:
        """Record in the ledger where a message was posted; until that works it stays in ``_unrecorded``."""
        await self.ledger.delivered(delivery, posted)
        self._unrecorded.pop(delivery.key, None)

    async def _sent(self, delivery: OutboxMessage, last_start: float) -> MessageRef | None:
        """Render and send a message; returns where it is, or None where it is no longer needed."""
        now = self.clock.now()
        if (until := self._pauses.get(delivery.place, now)) > now:
            raise Deferred(PAUSED, retry_after=(until - now).total_seconds())
        if _seconds() > last_start:
            raise Deferred(SLOW)
        kind = self._kind(delivery.key.kind)
        sink = self.sinks.get(kind.sink)
        if sink is None:  # such as one that is no longer in the settings
            raise _unknown(kind.name)
        try:
            async with asyncio.timeout_at(last_start):
                content = await kind.render(delivery)
        except TimeoutError:
            raise Transient(SLOW) from None
        if content is None:
            return delivery.posted
        if _seconds() > last_start:
            raise Transient(SLOW)
        return await self._in_time(kind, sink, delivery, content)

    async def _in_time(self, kind: MessageKind, sink: Sink, delivery: OutboxMessage, content: Any) -> MessageRef:
        """Send within ``sending`` seconds. Raises `TimedOut` beyond: the message may have been posted."""
        try:
            async with asyncio.timeout(self.sending), kind.sending(delivery, content):
                return await self._send(sink, delivery, content)
        except TimeoutError:
            raise TimedOut("It took too long.") from None

    async def _send(self, sink: Sink, delivery: OutboxMessage, content: Any) -> MessageRef:
        try:
            return await sink.deliver(delivery, content)
        except NotFound:
            if delivery.thread is None:
                raise
        async with self.ledger.writing() as tx:  # the attempt to edit it finds that it is gone, and reposts it
            await tx.refresh(delivery.under)
        raise Transient("The message that it belongs under is gone: that one goes first.")

    def _kind(self, name: str) -> MessageKind:
        kind = self.kinds.get(name)
        if kind is None:
            raise _unknown(name)
        return kind

    async def _later(self, delivery: OutboxMessage, error: AgentpodError) -> bool:
        """Record a failure and when to retry; returns whether a person has to fix something first."""
        now = self.clock.now()
        unsure = delivery.posted is None and isinstance(error, TimedOut | Uncertain)
        kind = self.kinds.get(delivery.key.kind)
        final = kind is not None and not kind.retry_refused and _refused_by_place(error)
        retry_at = None if final else _retry_at(delivery, error, now, self.dice())
        refused = isinstance(error, Permanent)
        if seconds := self._pause_there(delivery.place, error, unsure=unsure):
            self._pauses[delivery.place] = now + timedelta(seconds=seconds)
        text = f"{error.message} {error.remedy or ''}".strip()
        if isinstance(error, Deferred):
            text = delivery.error or text
        how = {"dead": retry_at is None, "unsure": unsure, "refused": refused}
        await self.ledger.failed(delivery, text, (retry_at or now) + self._ahead, **how)
        logger.log(
            _level(delivery, error, text), "not delivered: %s", error.message, extra={"delivery": delivery.key}
        )
        if refused and delivery.posted is None and kind is not None and await kind.refused(delivery):
            self.wake()
        return refused

    def _pause_there(self, place: str, error: AgentpodError, *, unsure: bool) -> float:
        """Seconds to pause a place: as the sink asked, or longer and longer while each try may leave a copy."""
        if isinstance(error, Transient) and error.retry_after:
            return error.retry_after
        if not unsure:
            return 0.0
        self._copies[place] = self._copies.get(place, 0) + 1
        return _pause(self._copies[place])


def _as_known(error: Exception, delivery: OutboxMessage) -> AgentpodError:
    """Turn an unexpected exception into an `AgentpodError`, so that a defect holds up one message only."""
    if isinstance(error, AgentpodError):
        return error
    logger.error("a message could not be rendered", exc_info=error, extra={"delivery": delivery.key})
    return unexpected("The message could not be made", error)


def _unknown(kind: str) -> NotFound:
    return NotFound(f"Nobody knows what a message of the kind {kind!r} says.")


def _retry_at(delivery: OutboxMessage, error: AgentpodError, now: datetime, dice: float) -> datetime | None:
    """When to retry (None: give up): not before the sink asked, with jitter so that retries spread out."""
    pause = _pause(delivery.attempts + 1)
    if isinstance(error, Deferred):
        return now + timedelta(seconds=error.retry_after or 0.0)
    if isinstance(error, Transient):
        return now + timedelta(seconds=max(pause, error.retry_after or 0.0) * (1 + dice / 2))
    if isinstance(error, NotFound) or delivery.attempts * LONGEST_PAUSE > GIVE_UP.total_seconds():
        return None
    return now + timedelta(seconds=LONGEST_PAUSE)


def _refused_by_place(error: AgentpodError) -> bool:
    """Whether the message's own place refuses it; a refused token or app concerns all messages alike."""
    return isinstance(error, Permanent) and not isinstance(error, NotAllowed)


def _level(delivery: OutboxMessage, error: AgentpodError, text: str) -> int:
    """The log level of a failure: error once for each reason that needs a person, debug if nothing was tried."""
    if isinstance(error, Permanent) and text != delivery.error:
        return logging.ERROR
    return logging.DEBUG if isinstance(error, Deferred) else logging.WARNING


def _pause(failures: int) -> float:
    """Seconds until the next try after so many failures in a row (exponential backoff)."""
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 8), LONGEST_PAUSE)


def _seconds() -> float:
    """The event loop's clock, in seconds."""
    return asyncio.get_running_loop().time()
