"""Brings each pending message to its sink, as the ledger has it then, whoever changed it and whenever."""

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
from bot.errors import AgentpodError, NotFound, Permanent, TimedOut, Transient, Uncertain, unexpected
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger
from bot.ports.sinks import Sink
from bot.services.outbox.kind import MessageKind

logger = logging.getLogger("agentpod.delivery")

LOOK = 1.0
"""Seconds until a ledger that is away is asked again."""
IDLE = 10.0
"""Most seconds between two looks: commits wake the worker, and so does the time of the next try."""
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


class Held(Transient):
    """It was not its turn: nothing was tried, and it is due again after ``retry_after`` seconds."""


@dataclass
class OutboxWorker:
    """Sends pending messages."""

    ledger: Ledger
    clock: Clock
    kinds: Registry[MessageKind]
    """What the messages say, and to which sink they go."""
    sinks: Registry[Sink]
    observe: Callable[[str, str], None] = lambda _kind, _outcome: None
    """Told of each attempt: what kind of message, and ``ok``, ``retry`` or ``dead``."""
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
        """A message is pending."""
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
        """One after the other, as they were enqueued: once there is a pause, the rest is not sent either."""
        away: Transient | None = None
        for delivery in these:
            try:
                await self._one(delivery, last_start)
            except Transient as error:  # the ledger is away: what is ours is sent all the same
                away = error
        if away is not None:
            raise away

    async def _one(self, delivery: OutboxMessage, last_start: float) -> None:
        name = delivery.key.kind
        try:
            posted = await self._brought(delivery, last_start)
        except Exception as caught:
            refused = await self._later(delivery, _told(caught, delivery))
            self.observe(name, "dead" if refused else "retry")
        else:
            if posted is None:
                await self.ledger.dropped(delivery)
            else:
                self._copies.pop(delivery.place, None)
                self._unnoted[delivery.key] = (delivery, posted)
                await self._note(delivery, posted)
                if delivery.posted is None and delivery.error:
                    await self._kind(name).arrived(delivery)
            self.observe(name, "dropped" if posted is None else "ok")

    async def _note(self, delivery: OutboxMessage, posted: MessageRef) -> None:
        """Have the ledger note it. It is kept in mind until then, so that it is not posted again."""
        await self.ledger.delivered(delivery, posted)
        self._unnoted.pop(delivery.key, None)

    async def _brought(self, delivery: OutboxMessage, last_start: float) -> MessageRef | None:
        """Send it where it goes; None where it is not wanted any more."""
        now = self.clock.now()
        if (until := self._pauses.get(delivery.place, now)) > now:
            raise Held(PAUSED, retry_after=(until - now).total_seconds())
        if _seconds() > last_start:
            raise Held(SLOW)
        kind = self._kind(delivery.key.kind)
        sink = self.sinks.get(kind.sink)
        if sink is None:  # such as one that the settings don't name any more
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
        """Send it while it is ours. Raises TimedOut where nobody knows what became of it."""
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
        async with self.ledger.writing() as tx:  # being edited it is found to be gone, and is posted anew
            await tx.refresh(delivery.under)
        raise Transient("The message that it belongs under is gone: that one goes first.")

    def _kind(self, name: str) -> MessageKind:
        kind = self.kinds.get(name)
        if kind is None:
            raise _unknown(name)
        return kind

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
            kind = self.kinds.get(delivery.key.kind)
            if kind is not None and await kind.refused(delivery):
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


def _unknown(kind: str) -> NotFound:
    return NotFound(f"Nobody knows what a message of the kind {kind!r} says.")


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
