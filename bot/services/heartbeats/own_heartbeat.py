"""The bot's own heartbeat: sent only while Slack is connected, so that silence means offline or dead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.core import gap, words
from bot.domain.core.gap import Gap
from bot.domain.core.reply import Reply
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.errors import AgentpodError, NotFound
from bot.ports.clock import Clock
from bot.ports.heartbeats import DeadMan, HeartbeatSource
from bot.ports.ledger import Ledger
from bot.services.outbox.kind import MessageKind

logger = logging.getLogger("agentpod.heartbeat")

KIND = "deaf"
HEARD = "heard"
"""Mark in the ledger: when any process was last connected to Slack."""
GAUGE = "agentpod_heard_time_seconds"
SAME = 0.01
"""Seconds by which the computed end of one gap may vary: two clocks are read for it, one after the other."""
STOPPING = 2.0
"""Seconds that a stop waits for the last `HEARD` mark to be written."""


@dataclass
class OwnHeartbeat:
    """Sends the heartbeat regularly, and enqueues a message about each time offline once it is over."""

    clock: Clock
    ledger: Ledger
    can_hear: Callable[[], bool]
    every: timedelta
    channel: str
    job: str
    source: HeartbeatSource | None
    dead_man: DeadMan | None
    changed: Callable[[], None] = lambda: None
    gaps: Callable[[], Sequence[Gap]] = tuple
    """The times without Slack that have ended, as the connection recorded them."""
    _noted_until: float = 0.0
    """End of the last gap that was noted, by the monotonic clock."""

    async def run(self) -> None:
        """Send heartbeats until cancelled."""
        try:
            while True:
                if self.can_hear():
                    await self.beat()
                await asyncio.sleep(self.every.total_seconds())
        except asyncio.CancelledError:
            if self.can_hear():
                await self._stopping()
            raise

    async def _stopping(self) -> None:
        """Update the `HEARD` mark, so that the next process knows since when the bot has been offline."""
        try:
            async with asyncio.timeout(STOPPING):
                await self._note()
        except (AgentpodError, TimeoutError) as error:
            logger.debug("the time of the last connection was not saved: %s", error)

    async def beat(self) -> None:
        """Send one heartbeat to each destination; a failure of one doesn't keep it from the others."""
        for what, work in (
            ("the ledger", self._note),
            ("the Pushgateway", self._push),
            ("the dead-man URL", self._ping),
        ):
            try:
                await work()
            except AgentpodError as error:
                logger.warning("own heartbeat, %s: %s", what, error.message)
            except Exception:
                logger.exception("own heartbeat, %s", what)

    async def _note(self) -> None:
        now, monotonic = self.clock.now(), self.clock.monotonic()
        fresh = [g for g in self.gaps() if g.end > self._noted_until + SAME]
        async with self.ledger.writing() as tx:
            heard = words.moment_of(await tx.mark(HEARD))
            await tx.set_mark(HEARD, now.isoformat())
            offline = list(gap.reported(fresh, heard, now, monotonic, self.every))
            for start, end in offline if self.channel else ():
                await tx.enqueue(MessageKey.of(KIND, f"{start.isoformat()}|{end.isoformat()}"), self.channel)
        self._noted_until = max((g.end for g in fresh), default=self._noted_until)
        for start, end in offline:
            logger.warning("was offline", extra={"from": start.isoformat(), "to": end.isoformat()})
        if offline:
            self.changed()

    async def _push(self) -> None:
        if self.source is not None and self.job:
            await self.source.push({"job": self.job}, {GAUGE: self.clock.now().timestamp()})

    async def _ping(self) -> None:
        if self.dead_man is not None:
            await self.dead_man.ping()


class OfflineMessages:
    """Renders the messages about times offline. Start and end are in the message's key, so no row is needed."""

    def kinds(self, place: str) -> tuple[MessageKind, ...]:
        """The message kind about times offline; ``place`` is its channel by the settings."""
        return (MessageKind(KIND, self._write, self._described, place=place),)

    async def _described(self, _: MessageKey) -> str:
        return "the notice of when I was offline"

    async def _write(self, message: OutboxMessage) -> Reply:
        start, _, end = message.key.rest.partition("|")
        try:
            since, until = datetime.fromisoformat(start), datetime.fromisoformat(end)
        except ValueError:
            raise NotFound(f"There is no spell {message.key[:60]!r}.") from None
        times = f"from {words.moment(since)} to {words.moment(until)}"
        return Reply(
            f"🔌 I was offline for {words.age(until - since)}, {times}",
            body=("Commands sent meanwhile got no answer: send them again. Alerts that were due follow.",),
            shareable=False,
            repeatable=False,
        )
