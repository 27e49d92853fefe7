"""The courier: brings the messages in Slack to what the ledger says, whoever changed it and whenever."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

from bot.domain.core.reply import Reply
from bot.domain.outbox.message import (
    MessageRef,
    OutboxMessage,
)
from bot.errors import AgentpodError, NotFound, Permanent, TimedOut, Transient, Uncertain, unexpected
from bot.ports.chat import (
    Chat,
)
from bot.ports.clock import (
    Clock,
)
from bot.ports.ledger import (
    Ledger,
)

logger = logging.getLogger("agentpod.delivery")
T = TypeVar("T")

LOOK = 1.0
"""Seconds until a ledger that is away is asked again."""
IDLE = 10.0
"""Most seconds between two looks: commits wake the courier, and so does the time of the next try."""
SOONEST = 0.05
SENDING = 15.0
"""Seconds for sending one message, with its pictures."""
HELD_FOR = timedelta(seconds=25)
"""How long a delivery is ours. None is sent that might not end within: somebody else would send it too."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
GIVE_UP = timedelta(days=1)
"""After which a message whose place does not work is given up. It is listed from the first refusal on, and tried
until then all the same: somebody may invite the bot, or mend its token."""
SLOW = "Its turn came too late, and nothing was sent."
PAUSED = "It failed there just now, or a pause was asked for, and nothing was sent."
COPY = "A copy of this message may be above: this one is kept up to date."


class Held(Transient):
    """It was not its turn: nothing was tried, and it is due again after ``retry_after`` seconds."""


class MessageRenderer(Protocol):
    """Knows what messages say, from the ledger as it is when they are sent."""

    async def write(self, delivery: OutboxMessage) -> Reply | None:
        """What it says now; None where it need not be said any more. Raises as the ledger does."""

    async def refused(self, delivery: OutboxMessage) -> bool:
        """Slack does not take it where it should go; says whether something else is owed for that."""


class Sink(Protocol):
    """Takes messages of a kind that don't go to the chat."""

    async def deliver(self, delivery: OutboxMessage) -> MessageRef | None:
        """Send it as it is now; None where it need not be sent any more. Raises `bot.errors`."""


async def _nobody(_: OutboxMessage) -> None:
    """Nobody has to be told."""


@dataclass
class OutboxWorker:
    """Sends what is owed."""

    ledger: Ledger
    chat: Chat
    clock: Clock
    writers: Mapping[str, MessageRenderer]
    """Who knows what a kind of message says."""
    sinks: Mapping[str, Sink] = field(default_factory=dict)
    """Where kinds of messages go that don't go to the chat."""
    observe: Callable[[str, str], None] = lambda _kind, _outcome: None
    """Told of each attempt: what kind of message, and ``ok``, ``retry`` or ``dead``."""
    arrived: Callable[[OutboxMessage], Awaitable[None]] = _nobody
    """Told of each message that was posted after earlier attempts had failed. Raises as the ledger does."""
    dice: Callable[[], float] = random.random
    """Between 0 and 1."""
    sending: float = SENDING
    held_for: timedelta = HELD_FOR
    _kick: asyncio.Event = field(default_factory=asyncio.Event)
    _unnoted: dict[str, tuple[OutboxMessage, MessageRef]] = field(default_factory=dict)
    """What is posted, and the ledger was away when it should have noted where."""
    _pauses: dict[str, datetime] = field(default_factory=dict)
    """Places where nothing goes meanwhile, however new, and until when."""
    _ahead: timedelta = timedelta()
    """How far the ledger's clock is ahead of this process's."""
    _copies: dict[str, int] = field(default_factory=dict)
    """How often in a row something may have been posted in a place without anybody noting where."""

    def wake(self) -> None:
        """Something is owed."""
        self._kick.set()

    async def run(self) -> None:
        """Deliver until cancelled. The ledger's absence is waited out."""
        self.ledger.on_change(self.wake)
        away = LOOK
        while True:
            self._kick.clear()
            try:
                busy = await self.deliver()
                pause, away = 0.0 if busy else await self._until_due(), LOOK
            except Transient as error:
                logger.warning("nothing can be delivered: %s", error.message)
                busy, away = False, LOOK if self._unnoted else min(away * 2, 30.0)
                pause = away
            if not busy:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._kick.wait()

    async def _until_due(self) -> float:
        """Seconds until something comes due by time alone."""
        now = self.clock.now()
        due = await self.ledger.next_due(now + self._ahead)
        times = [*self._pauses.values(), *([due - self._ahead] if due else [])]
        return min([IDLE, *(max(SOONEST, (at - now).total_seconds()) for at in times)])

    async def finish(self, seconds: float) -> None:
        """Send what is due, for the last time before a stop."""
        with contextlib.suppress(AgentpodError, TimeoutError):
            async with asyncio.timeout(seconds):
                while await self.deliver():
                    pass

    async def deliver(self) -> bool:
        """Send what is due now; says whether there was something."""
        for delivery, posted in list(self._unnoted.values()):
            await self._note(delivery, posted)
        now = self.clock.now()
        self._pauses = {place: until for place, until in self._pauses.items() if until > now}
        last_start = _seconds() + self.held_for.total_seconds() - self.sending
        there = await self.ledger.now(now)
        self._ahead = there - now
        due = await self.ledger.take(there, self.held_for, without=self._pauses)
        places: dict[str, list[OutboxMessage]] = {}
        for delivery in due:
            places.setdefault(delivery.place, []).append(delivery)
        await asyncio.gather(*(self._in_turn(these, last_start) for these in places.values()))
        return bool(due)

    async def _in_turn(self, these: Sequence[OutboxMessage], last_start: float) -> None:
        """One after the other, as they were owed: once there is a pause, the rest is not sent either."""
        away: Transient | None = None
        for delivery in these:
            try:
                await self._one(delivery, last_start)
            except Transient as error:  # the ledger is away: what is ours is sent all the same
                away = error
        if away is not None:
            raise away

    async def _one(self, delivery: OutboxMessage, last_start: float) -> None:
        kind = delivery.key.partition(":")[0]
        try:
            posted = await self._brought(kind, delivery, last_start)
        except Exception as caught:
            refused = await self._later(delivery, _told(caught, delivery))
            self.observe(kind, "dead" if refused else "retry")
        else:
            if posted is None:
                await self.ledger.dropped(delivery)
            else:
                self._copies.pop(delivery.place, None)
                self._unnoted[delivery.key] = (delivery, posted)
                await self._note(delivery, posted)
                if delivery.posted is None and delivery.error:
                    await self.arrived(delivery)
            self.observe(kind, "dropped" if posted is None else "ok")

    async def _note(self, delivery: OutboxMessage, posted: MessageRef) -> None:
        """Have the ledger note it. It is kept in mind until then, so that it is not posted again."""
        await self.ledger.delivered(delivery, posted)
        self._unnoted.pop(delivery.key, None)

    async def _brought(self, kind: str, delivery: OutboxMessage, last_start: float) -> MessageRef | None:
        """Send it where it goes; None where it is not wanted any more."""
        now = self.clock.now()
        if (until := self._pauses.get(delivery.place, now)) > now:
            raise Held(PAUSED, retry_after=(until - now).total_seconds())
        if _seconds() > last_start:
            raise Held(SLOW)
        if kind in self.sinks:
            return await self._in_time(partial(self.sinks[kind].deliver, delivery), last_start)
        try:
            async with asyncio.timeout_at(last_start):
                reply = await self._writer(kind).write(delivery)
        except TimeoutError:
            raise Transient(SLOW) from None
        if reply is None:
            return None
        if delivery.unsure:
            reply = replace(reply, body=(*reply.body, COPY))
        return await self._in_time(partial(self._send, delivery, reply), last_start)

    async def _in_time(self, send: Callable[[], Awaitable[T]], last_start: float) -> T:
        """Send it while it is ours. Raises TimedOut where nobody knows what became of it."""
        if _seconds() > last_start:
            raise Transient(SLOW)
        try:
            async with asyncio.timeout(self.sending):
                return await send()
        except TimeoutError:
            raise TimedOut("It took too long.") from None

    async def _send(self, delivery: OutboxMessage, reply: Reply) -> MessageRef:
        if delivery.posted is not None:
            try:
                await self.chat.edit(delivery.posted, reply)
                return delivery.posted
            except NotFound:  # somebody deleted it
                logger.info("posted anew: the message is gone", extra={"delivery": delivery.key})
        thread = delivery.thread.ts if delivery.thread else None
        place = delivery.thread.channel if delivery.thread else delivery.place
        try:
            return await self.chat.post(place, reply, thread=thread)
        except NotFound:
            if delivery.thread is None:
                raise
        async with self.ledger.writing() as tx:  # being edited it is found to be gone, and is posted anew
            await tx.refresh(delivery.under)
        raise Transient("The message that it belongs under is gone: that one goes first.")

    def _writer(self, kind: str) -> MessageRenderer:
        try:
            return self.writers[kind]
        except KeyError:
            raise NotFound(f"Nobody knows what a message of the kind {kind!r} says.") from None

    async def _later(self, delivery: OutboxMessage, error: AgentpodError) -> bool:
        """Note a failure, with the time of the next try; says whether somebody has to mend something first."""
        now = self.clock.now()
        unsure = delivery.posted is None and isinstance(error, TimedOut | Uncertain)
        retry_at = _retry_at(delivery, error, now, self.dice())
        refused = isinstance(error, Permanent)
        if seconds := self._pause_there(delivery.place, error, unsure=unsure):
            self._pauses[delivery.place] = now + timedelta(seconds=seconds)
        text = f"{error.message} {error.remedy or ''}".strip()
        if isinstance(error, Held):
            text = delivery.error or text
        how = {"dead": retry_at is None, "unsure": unsure, "refused": refused}
        await self.ledger.failed(delivery, text, (retry_at or now) + self._ahead, **how)
        logger.log(
            _level(delivery, error, text), "not delivered: %s", error.message, extra={"delivery": delivery.key}
        )
        if refused and delivery.posted is None:
            writer = self.writers.get(delivery.key.partition(":")[0])
            if writer is not None and await writer.refused(delivery):
                self.wake()
        return refused

    def _pause_there(self, place: str, error: AgentpodError, *, unsure: bool) -> float:
        """For how many seconds nothing goes there: as asked for, or since each try may leave a copy."""
        if isinstance(error, Transient) and error.retry_after:
            return error.retry_after
        if not unsure:
            return 0.0
        self._copies[place] = self._copies.get(place, 0) + 1
        return _pause(self._copies[place])


def _told(error: Exception, delivery: OutboxMessage) -> AgentpodError:
    """What nobody thought of keeps one message back, and no other."""
    if isinstance(error, AgentpodError):
        return error
    logger.error("a message could not be made", exc_info=error, extra={"delivery": delivery.key})
    return unexpected("The message could not be made", error)


def _retry_at(delivery: OutboxMessage, error: AgentpodError, now: datetime, dice: float) -> datetime | None:
    """When it is tried again: never before the other side wants it, and not all at the same moment."""
    pause = _pause(delivery.attempts + 1)
    if isinstance(error, Held):
        return now + timedelta(seconds=error.retry_after or 0.0)
    if isinstance(error, Transient):
        return now + timedelta(seconds=max(pause, error.retry_after or 0.0) * (1 + dice / 2))
    if isinstance(error, NotFound) or delivery.attempts * LONGEST_PAUSE > GIVE_UP.total_seconds():
        return None
    return now + timedelta(seconds=LONGEST_PAUSE)


def _level(delivery: OutboxMessage, error: AgentpodError, text: str) -> int:
    """How loudly it is logged: somebody has to mend what is refused, and hears it once."""
    if isinstance(error, Permanent) and text != delivery.error:
        return logging.ERROR
    return logging.DEBUG if isinstance(error, Held) else logging.WARNING


def _pause(failures: int) -> float:
    """Seconds until the next try, after so many in a row that failed."""
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 8), LONGEST_PAUSE)


def _seconds() -> float:
    """The time by which the event loop's deadlines go."""
    return asyncio.get_running_loop().time()
