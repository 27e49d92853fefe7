"""The courier: brings the messages in Slack to what the ledger says, whoever changed it and whenever."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain import repair
from bot.domain.repair import Delivery
from bot.domain.reply import Reply
from bot.errors import AgentpodError, NotFound, Permanent, TimedOut, Transient, Uncertain
from bot.ports import Chat, Clock, Ledger

logger = logging.getLogger("agentpod.delivery")

LOOK = 1.0
"""Seconds between two looks for what other processes owe."""
PATIENCE = 10.0
"""Seconds for one message."""
HELD_FOR = timedelta(seconds=15)
"""How long a delivery is ours: longer than `PATIENCE`, so that nobody else sends it meanwhile."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
GIVE_UP = timedelta(days=1)
"""After which a message whose place does not work is a dead letter."""


class Writer(Protocol):
    """Knows what messages say, from the ledger as it is when they are sent."""

    async def write(self, delivery: Delivery) -> Reply | None:
        """What it says now; None where it need not be said any more. Raises as the ledger does."""

    async def refused(self, delivery: Delivery) -> bool:
        """Slack does not take it where it should go; says whether something else is owed for that."""


class Sink(Protocol):
    """Takes messages of a kind that don't go to the chat."""

    async def deliver(self, delivery: Delivery) -> repair.Posted | None:
        """Send it as it is now; None where it need not be sent any more. Raises `bot.errors`."""


async def _nobody(_: Delivery) -> None:
    """Nobody has to be told."""


@dataclass
class Courier:
    """Sends what is owed."""

    ledger: Ledger
    chat: Chat
    clock: Clock
    writers: Mapping[str, Writer]
    """Who knows what a kind of message says."""
    sinks: Mapping[str, Sink] = field(default_factory=dict)
    """Where kinds of messages go that don't go to the chat."""
    observe: Callable[[str, str], None] = lambda _kind, _outcome: None
    """Told of each attempt: what kind of message, and ``ok``, ``retry`` or ``dead``."""
    arrived: Callable[[Delivery], Awaitable[None]] = _nobody
    """Told of each message that was posted after earlier attempts had failed. Raises as the ledger does."""
    _kick: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Something is owed."""
        self._kick.set()

    async def run(self) -> None:
        """Deliver until cancelled. The ledger's absence is waited out."""
        pause = LOOK
        while True:
            self._kick.clear()
            try:
                busy = await self.deliver()
                pause = LOOK
            except Transient as error:
                logger.warning("nothing can be delivered: %s", error.message)
                busy, pause = False, min(pause * 2, 30.0)
            if not busy:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._kick.wait()

    async def finish(self, seconds: float) -> None:
        """Send what is due, for the last time before a stop."""
        with contextlib.suppress(AgentpodError, TimeoutError):
            async with asyncio.timeout(seconds):
                while await self.deliver():
                    pass

    async def deliver(self) -> bool:
        """Send what is due now; says whether there was something."""
        due = await self.ledger.take(self.clock.now(), HELD_FOR)
        await asyncio.gather(*(self._one(d) for d in due))
        return bool(due)

    async def _one(self, delivery: Delivery) -> None:
        kind = delivery.key.partition(":")[0]
        try:
            posted = await self._brought(kind, delivery)
        except TimeoutError:
            await self._later(delivery, TimedOut("It took too long."))
            self.observe(kind, "retry")
        except AgentpodError as error:
            dead = await self._later(delivery, error)
            self.observe(kind, "dead" if dead else "retry")
        else:
            if posted is None:
                await self.ledger.dropped(delivery)
            else:
                await self.ledger.delivered(delivery, posted)
                if delivery.posted is None and delivery.error:
                    await self.arrived(delivery)
            self.observe(kind, "dropped" if posted is None else "ok")

    async def _brought(self, kind: str, delivery: Delivery) -> repair.Posted | None:
        """Send it where it goes; None where it is not wanted any more."""
        if kind in self.sinks:
            async with asyncio.timeout(PATIENCE):
                return await self.sinks[kind].deliver(delivery)
        reply = await self._writer(kind).write(delivery)
        if reply is None:
            return None
        async with asyncio.timeout(PATIENCE):
            return await self._send(delivery, reply)

    async def _send(self, delivery: Delivery, reply: Reply) -> repair.Posted:
        if delivery.posted is not None:
            try:
                await self.chat.edit(delivery.posted, reply)
                return delivery.posted
            except NotFound:  # somebody deleted it
                logger.info("posted anew: the message is gone", extra={"delivery": delivery.key})
        thread = delivery.thread.ts if delivery.thread else None
        place = delivery.thread.channel if delivery.thread else delivery.place
        return await self.chat.post(place, reply, thread=thread)

    def _writer(self, kind: str) -> Writer:
        try:
            return self.writers[kind]
        except KeyError:
            raise NotFound(f"Nobody knows what a message of the kind {kind!r} says.") from None

    async def _later(self, delivery: Delivery, error: AgentpodError) -> bool:
        """Note a failure, with the time of the next try; says whether it is given up."""
        now = self.clock.now()
        unsure = delivery.posted is None and isinstance(error, TimedOut | Uncertain)
        retry_at = _retry_at(delivery, error, now)
        text = f"{error.message} {error.remedy or ''}".strip()
        await self.ledger.failed(delivery, text, retry_at, unsure=unsure)
        level = logging.ERROR if retry_at is None else logging.WARNING
        logger.log(level, "not delivered: %s", error.message, extra={"delivery": delivery.key})
        if isinstance(error, Permanent) and delivery.posted is None:
            writer = self.writers.get(delivery.key.partition(":")[0])
            if writer is not None and await writer.refused(delivery):
                self.wake()
        return retry_at is None


def _retry_at(delivery: Delivery, error: AgentpodError, now: datetime) -> datetime | None:
    pause = min(FIRST_PAUSE * 2.0 ** min(delivery.attempts, 8), LONGEST_PAUSE)
    if isinstance(error, Transient):
        return now + timedelta(seconds=max(pause, error.retry_after or 0.0))
    if isinstance(error, NotFound) or delivery.attempts * LONGEST_PAUSE > GIVE_UP.total_seconds():
        return None
    return now + timedelta(seconds=LONGEST_PAUSE)  # somebody may invite the bot, or mend its scopes
