"""The daily digest: claimed in the ledger, so that it is posted once, and late rather than never."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.domain import digest, digest_card, words
from bot.domain.alerting import Incident
from bot.domain.approval import State
from bot.domain.digest import Day, What
from bot.domain.digest_card import Facts
from bot.domain.history import Happening
from bot.domain.repair import UNDELIVERED_FOR, Case, Delivery
from bot.domain.reply import Image, Reply
from bot.domain.target import Target
from bot.errors import NotFound
from bot.jobs.watch_heartbeats import FIRST_LOOKED, GAP, LOOKED
from bot.ports import Clock, Ledger, Painter

logger = logging.getLogger("agentpod.digest")

KIND = "digest"
MARK = "digest"
"""Under which name the day of the last digest is kept, and when it was claimed."""
LOOKBACK = timedelta(days=3)
"""How far back it is looked for all that reaches into a day; for states that began earlier, as far as is kept."""
KEPT = timedelta(days=15)


@dataclass(frozen=True)
class When:
    """The time of day in a zone. A time that a change of the clock skips is the next that exists."""

    at: time
    zone: str

    def on(self, day: date) -> datetime:
        """The moment on that local day."""
        return datetime.combine(day, self.at, ZoneInfo(self.zone)).astimezone(ZoneInfo("UTC"))

    def due(self, now: datetime) -> date:
        """The newest local day whose time has come."""
        today = now.astimezone(ZoneInfo(self.zone)).date()
        return today if now >= self.on(today) else today - timedelta(days=1)


@dataclass
class DigestPost:
    """Claims each day's digest, and owes its message."""

    ledger: Ledger
    clock: Clock
    when: When
    channel: str
    changed: Callable[[], None] = lambda: None

    async def post(self) -> bool:
        """Owe the digest of the newest day that is due, if nobody has; says whether it was owed now.

        On the first start there is nothing to look back on: it begins with the next one.
        """
        now = self.clock.now()
        due = self.when.due(now)
        async with self.ledger.writing() as tx:
            last = await tx.mark(MARK)
            if last is not None and last.partition("|")[0] >= due.isoformat():
                return False
            await tx.set_mark(MARK, f"{due.isoformat()}|{now.isoformat()}")
            if last is None:
                return False
            await tx.owe(f"{KIND}:{due.isoformat()}", self.channel)
        self.changed()
        await self.ledger.forget_history(now - KEPT)
        return True


@dataclass
class DigestNews:
    """The writer of digests, for the channel and for whoever asks."""

    ledger: Ledger
    clock: Clock
    targets: Sequence[Target]
    when: When
    painter: Painter | None
    gap: timedelta = GAP
    """Time without a look of which nothing is known."""

    async def write(self, delivery: Delivery) -> Reply:
        """See `bot.jobs.deliver.Writer`. The key holds the local day on which it is posted."""
        _, _, text = delivery.key.partition(":")
        try:
            posted = date.fromisoformat(text)
        except ValueError:
            raise NotFound(f"There is no digest of {text[:40]!r}.") from None
        late = self.clock.now() - self.when.on(posted)
        return await self.digest(posted - timedelta(days=1), late)

    async def refused(self, delivery: Delivery) -> bool:  # noqa: ARG002 - the writer's shape
        """Nobody else is told; `incidents` shows it."""
        return False

    async def digest(self, day: date, late_by: timedelta = timedelta()) -> Reply:
        """The digest of a local day, with its picture."""
        now = self.clock.now()
        facts = await self._facts(day, late_by, now)
        images = [image for d in facts.days if (image := await self._image(d)) is not None]
        return digest_card.digest(facts, now, images)

    async def _facts(self, day: date, late_by: timedelta, now: datetime) -> Facts:
        zone = self.when.zone
        here, before = digest.window(day, zone), digest.window(day - timedelta(days=1), zone)
        unseen = await self._unseen(now)  # before the history: what is noted meanwhile is in it
        history = [
            *await self.ledger.history(before.start - KEPT, before.start - LOOKBACK, beats=False),
            *await self.ledger.history(before.start - LOOKBACK, here.end),
            *unseen,
        ]
        text = await self.ledger.mark(FIRST_LOOKED)
        since = datetime.fromisoformat(text) if text else None
        incidents = await self.ledger.incidents(since=before.start, limit=10_000)
        cases = await self.ledger.cases(since=here.start - timedelta(days=1), limit=500)
        return Facts(
            days=[digest.day(t, here, incidents, history, now, since) for t in self.targets],
            before=[digest.day(t, before, incidents, history, now, since) for t in self.targets],
            cases=[c for c in cases if _carried_out(c, here.start, here.end)],
            waiting=[c for c in cases if c.state is State.OPEN],
            open=_open(incidents),
            undelivered=await self.ledger.dead(now - UNDELIVERED_FOR, 5),
            zone=zone,
            late_by=late_by,
        )

    async def _unseen(self, now: datetime) -> list[Happening]:
        """That nobody looks since the last look, where that was long ago and the next one has not said so yet."""
        text = await self.ledger.mark(LOOKED)
        last = datetime.fromisoformat(text) if text else now
        return [Happening("", "source", last, "off")] if now - last > self.gap else []

    async def _image(self, day: Day) -> Image | None:
        if self.painter is None:
            return None
        try:
            png = await asyncio.to_thread(self.painter.day, day, self.when.zone)
        except Exception:  # a picture is no reason to have no digest
            logger.exception("the picture could not be drawn")
            return None
        return Image(png, _in_words(day), f"{day.target}-{day.window.day}.png")


def _carried_out(case: Case, start: datetime, end: datetime) -> bool:
    done = case.state in (State.SUCCEEDED, State.FAILED) and case.outcome is not None
    return bool(done and case.outcome and start <= case.outcome.at < end)


def _open(incidents: Sequence[Incident]) -> list[Incident]:
    live = [i for i in incidents if i.open]
    return sorted(live, key=lambda i: (i.problem.severity != "critical", i.problem.since))


def _in_words(day: Day) -> str:
    """What the picture shows, for those who don't see it."""
    if day.uptime is None:
        return f"Timeline of {day.target} on {day.window.day:%a %d %b}: nothing is known"
    lanes = []
    for lane in (*day.jobs, day.pod):
        down, late = lane.total(What.DOWN), lane.total(What.LATE)
        said = f"down {words.age(down)}" if down else f"late {words.age(late)}" if late else "all good"
        runs = f", {words.plural(len(lane.runs), 'run')}" if lane is not day.pod else ""
        lanes.append(f"{lane.subject} {said}{runs}")
    unknown = f"; nothing known for {words.age(day.unknown)}" if day.unknown else ""
    return f"Timeline of {day.target} on {day.window.day:%a %d %b}: {'; '.join(lanes)}{unknown}"
