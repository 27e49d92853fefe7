"""The bot's own heartbeat: sent only while it can hear, so that its silence means that it is deaf or dead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain import words
from bot.domain.repair import Delivery
from bot.domain.reply import Reply
from bot.errors import AgentpodError, NotFound
from bot.ports import Clock, DeadMan, HeartbeatSource, Ledger

logger = logging.getLogger("agentpod.heartbeat")

KIND = "deaf"
HEARD = "heard"
"""Under which name the time is kept at which any process could hear last."""
GAUGE = "agentpod_heard_time_seconds"
LONG = timedelta(minutes=2)
"""A deaf spell that is shorter is nobody's business: Slack delivers again what it could not."""


@dataclass
class OwnHeartbeat:
    """Says regularly that the bot can hear, and afterwards for how long it could not."""

    clock: Clock
    ledger: Ledger
    can_hear: Callable[[], bool]
    every: timedelta
    channel: str
    job: str
    source: HeartbeatSource | None
    dead_man: DeadMan | None
    changed: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            if self.can_hear():
                await self.beat()
            await asyncio.sleep(self.every.total_seconds())

    async def beat(self) -> None:
        """One heartbeat. What can't be told to one is told to the others all the same."""
        for what, work in (
            ("the ledger", self._note),
            ("the Pushgateway", self._push),
            ("the dead-man URL", self._ping),
        ):
            try:
                await work()
            except AgentpodError as error:
                logger.warning("own heartbeat, %s: %s", what, error.message)
            except Exception:  # one defect must not keep the others from being told
                logger.exception("own heartbeat, %s", what)

    async def _note(self) -> None:
        now = self.clock.now()
        async with self.ledger.writing() as tx:
            text = await tx.mark(HEARD)
            await tx.set_mark(HEARD, now.isoformat())
            last = datetime.fromisoformat(text) if text else now
            deaf = now - last > max(LONG, 2 * self.every)
            if deaf and self.channel:
                await tx.owe(f"{KIND}:{last.isoformat()}|{now.isoformat()}", self.channel)
        if deaf:
            logger.warning("could not hear", extra={"from": last.isoformat(), "to": now.isoformat()})
            self.changed()

    async def _push(self) -> None:
        if self.source is not None and self.job:
            await self.source.push({"job": self.job}, {GAUGE: self.clock.now().timestamp()})

    async def _ping(self) -> None:
        if self.dead_man is not None:
            await self.dead_man.ping()


class DeafNews:
    """The writer of `KIND`."""

    def __init__(self, clock: Clock) -> None:
        """``clock`` says which day it is."""
        self._clock = clock

    async def write(self, delivery: Delivery) -> Reply:
        """See `bot.jobs.deliver.Writer`. The key holds from when to when."""
        start, _, end = delivery.key.partition(":")[2].partition("|")
        try:
            since, until = datetime.fromisoformat(start), datetime.fromisoformat(end)
        except ValueError:
            raise NotFound(f"There is no spell {delivery.key[:60]!r}.") from None
        now = self._clock.now()
        times = f"from {words.moment(since, now)} to {words.moment(until, now)}"
        return Reply(
            f"🙉 I could not hear anybody for {words.age(until - since)}, {times}",
            body=("Commands that were sent meanwhile had no answer: send them again. Missed alerts follow.",),
            shareable=False,
            repeatable=False,
        )

    async def refused(self, delivery: Delivery) -> bool:  # noqa: ARG002 - the writer's shape
        """Nobody else is told."""
        return False
