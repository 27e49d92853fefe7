"""Posts and renders the daily digest.

Each day is claimed in the ledger before its message is enqueued, so that the digest is posted once even with
several replicas, and late rather than never after a time without a running bot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import anchors
from bot.domain.core.anchors import Anchor
from bot.domain.core.history import HistoryEvent
from bot.domain.core.intervals import LocalDay
from bot.domain.core.registry import Registry
from bot.domain.core.reply import Image, Line, Reply
from bot.domain.core.target import Target, canonical_job
from bot.domain.digest import card, checks, restarts, timeline
from bot.domain.digest import day as digest
from bot.domain.digest.alt_text import in_words
from bot.domain.digest.checks import ChecksRead
from bot.domain.digest.day import Day, DigestFacts, WatchedSince
from bot.domain.digest.when import When
from bot.domain.heartbeats.heartbeat import Health
from bot.domain.incidents import incident_card, sources
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.domain.incidents.sources.heartbeat import HEARTBEAT
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import UNDELIVERED_FOR, OutboxMessage
from bot.errors import AgentpodError, NotFound
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger
from bot.ports.painter import Painter
from bot.services.incidents.poll_coverage import PollCoverage, heartbeat_coverage, pod_coverage
from bot.services.outbox import undelivered
from bot.services.outbox.kind import MessageKind

logger = logging.getLogger("agentpod.digest")

KIND = "digest"
MARK = "digest"
"""Mark in the ledger: the day of the last digest, and when it was claimed."""
CHECKS = "digest-checks"
"""Mark in the ledger: what the checks said when the last digests were claimed."""
ANCHORS = "audit-anchors"
"""Mark in the ledger: the audit trail's anchors, a line for each digest."""
DAY = timedelta(days=1)
EVER = datetime.fromtimestamp(0, UTC)
"""Start of all history: a state lasts until the next event, so the one before a day may be old."""


@dataclass
class DigestPost:
    """Claims each day's digest, and enqueues its message."""

    ledger: Ledger
    clock: Clock
    when: When
    channel: str
    changed: Callable[[], None] = lambda: None
    checks: Callable[[], Awaitable[ChecksRead]] | None = None
    """Makes the checks. Their findings are stored with the digest, since its message may be rendered often."""
    anchor_to: Mapping[str, str] = field(default_factory=dict)
    """Message kind → place of the messages that take the anchor out of the ledger."""

    async def post(self) -> bool:
        """Enqueue the latest digest that is due, unless it was enqueued already; returns whether it was now.

        The first start only sets the mark, since there is no history yet: digests begin with the next day.
        """
        now = self.clock.now()
        due = self.when.due(now)
        read = await self._read(due)
        async with self.ledger.writing() as tx:
            mark = await tx.mark(MARK)
            last = _day(mark)
            if last is not None and last >= due:
                return False
            await tx.set_mark(MARK, f"{due}|{now.isoformat()}")
            if last is None:
                return False
            missed = [str(last)] if due - last > DAY else []
            await tx.enqueue(MessageKey.of(KIND, str(due), *missed), self.channel)
            if (record := await tx.last_record()) is not None:
                anchor = Anchor(record.number, record.digest, now, str(due))
                await tx.set_mark(ANCHORS, anchors.with_anchor(await tx.mark(ANCHORS) or "", anchor))
                for kind, place in self.anchor_to.items():
                    await tx.enqueue(MessageKey.of(kind, str(due)), place)
            if read is not None:
                await tx.set_mark(CHECKS, checks.with_day(await tx.mark(CHECKS), due, read))
        self.changed()
        return True

    async def _read(self, due: date) -> ChecksRead | None:
        """What the checks say, before the transaction; None where no digest is due, or for the first start."""
        last = _day(await self.ledger.mark(MARK))
        if self.checks is None or last is None or last >= due:
            return None
        return await self.checks()


def _day(mark: str | None) -> date | None:
    """The day in a mark or key; None where there is none or it can't be parsed."""
    try:
        return date.fromisoformat((mark or "").partition("|")[0])
    except ValueError:
        return None


async def _unnamed(messages: Sequence[OutboxMessage]) -> list[Line]:
    """Describe messages by their keys."""
    return await undelivered.lines(messages, Registry("message kind"))


async def _described(key: MessageKey) -> str:
    day = _day(key.id)
    return f"the digest of {key.id[:20] if day is None else f'{day:%a} {day.day} {day:%b}'}"


@dataclass
class DigestMessages:
    """Renders digests, for the channel and for the `digest` command."""

    ledger: Ledger
    clock: Clock
    targets: Sequence[Target]
    when: When
    painter: Painter | None
    rules: AlertRules = field(default_factory=AlertRules)
    heartbeats: bool = True
    """Whether heartbeats are read at all; if not, digests are about the pod only."""
    undelivered: Callable[[Sequence[OutboxMessage]], Awaitable[Sequence[Line]]] = _unnamed
    """Describes messages that could not be delivered."""

    def kinds(self, place: str) -> tuple[MessageKind, ...]:
        """The message kind of digests; ``place`` is its channel by the settings, empty for none."""
        return (MessageKind(KIND, self._write, _described, place=place),)

    async def _write(self, message: OutboxMessage) -> Reply:
        """Render a digest. Its key has the day of posting and, if days were missed, the day of the last digest."""
        posted, last = message.key.id, message.key.more
        try:
            due = date.fromisoformat(posted)
            before = date.fromisoformat(last[0]) if last else due - DAY
        except ValueError:
            raise NotFound(f"There is no digest of {posted[:40]!r}.") from None
        missed = [before + n * DAY for n in range(1, (due - before).days)]
        read = checks.of_day(await self.ledger.mark(CHECKS), due)
        return await self._reply(due - DAY, self.clock.now() - self.when.on(due), missed, read)

    async def digest(self, day: date, read: ChecksRead | None = None) -> Reply:
        """The digest of a local day, with its picture, and with what the checks say now."""
        return await self._reply(day, timedelta(), (), read)

    async def _reply(
        self, day: date, late_by: timedelta, missed: Sequence[date], read: ChecksRead | None
    ) -> Reply:
        """Render the digest of ``day``; ``missed`` are the days on which no digest was posted."""
        now = self.clock.now()
        facts = await self._facts(day, now)
        facts = replace(facts, checks=None if read is None else checks.unsaid(read, facts.open))
        off = await self._was_off(missed, now)
        facts = replace(facts, late_by=late_by, missed=[d - DAY for d in missed], was_off=off)
        anchor = anchors.of_key(await self.ledger.mark(ANCHORS) or "", str(day + DAY))
        facts = replace(facts, anchor=anchor)
        images, notes = await self._images(facts)
        return card.digest(facts, now, images, notes)

    async def _facts(self, day: date, now: datetime) -> DigestFacts:
        zone = self.when.zone
        here, before = digest.window(day, zone), digest.window(day - DAY, zone)
        ongoing = await self._ongoing_gaps(now)  # before the history, which has a gap that ends meanwhile
        history = [
            *await self.ledger.history(EVER, here.start, beats=False),
            *await self.ledger.history(here.start, here.end),
            *ongoing,
        ]
        incidents = await self.ledger.incidents(since=before.start, limit=10_000)
        repairs = await self.ledger.requests(since=here.start - DAY, limit=500)
        watched = await self._watched()
        targets = [t if self.heartbeats else t.model_copy(update={"heartbeats": ()}) for t in self.targets]

        def days(of: LocalDay) -> list[Day]:
            planned = self.rules.maintenance
            made = [timeline.day(t, of, incidents, history, now, watched[t.name], planned) for t in targets]
            return [restarts.timed(one, repairs) for one in made]

        return DigestFacts(
            days=days(here),
            before=days(before),
            repairs=[c for c in repairs if _carried_out(c, here.start, here.end)],
            waiting=[c for c in repairs if c.state is RequestState.OPEN],
            open=[incident_card.with_target(i, several=len(targets) > 1) for i in _open(incidents)],
            ended=[
                incident_card.with_target(i, several=len(targets) > 1)
                for i in _ended(incidents, here.start, here.end)
            ],
            undelivered=await self.undelivered(await self.ledger.dead(now - UNDELIVERED_FOR, 5)),
            zone=zone,
            heartbeats=self.heartbeats,
        )

    async def _watched(self) -> dict[str, WatchedSince]:
        """By target: since when it is watched, and its jobs that never sent a heartbeat."""
        jobs = await heartbeat_coverage(self.rules).since(self.ledger)
        job_states = await self.ledger.job_states()
        came = {key for key, memory in job_states.items() if memory.health is not Health.NEVER_SEEN}
        found = {}
        for target in self.targets:
            names = [canonical_job(h.job) for h in target.heartbeats]
            never = frozenset(name for name in names if f"{target.name}/{name}" not in came)
            each = {n: job_states[key].watched_since for n in names if (key := f"{target.name}/{n}") in job_states}
            found[target.name] = WatchedSince(
                jobs, await pod_coverage(target.name).since(self.ledger), never, each
            )
        return found

    def _coverages(self) -> list[PollCoverage]:
        """The poll coverage of every source."""
        return [
            *([heartbeat_coverage(self.rules)] if self.heartbeats else []),
            *(pod_coverage(t.name) for t in self.targets),
        ]

    async def _ongoing_gaps(self, now: datetime) -> list[HistoryEvent]:
        """The gaps in poll coverage that have not ended yet."""
        return [gap for coverage in self._coverages() for gap in await coverage.ongoing_gap(self.ledger, now)]

    async def _was_off(self, missed: Sequence[date], now: datetime) -> bool:
        """Whether no bot was running whenever a digest should have been posted."""
        if not missed:
            return False
        history = [*await self.ledger.history(EVER, now, beats=False), *await self._ongoing_gaps(now)]
        sources = [coverage.subject for coverage in self._coverages()]
        return all(timeline.off_at(history, self.when.on(d), sources) for d in missed)

    async def _images(self, facts: DigestFacts) -> tuple[list[Image], list[str]]:
        """The days' pictures, or a note on why there are none."""
        if self.painter is None or not any(d.known for d in facts.days):
            return [], []
        try:
            pictures = [await asyncio.to_thread(self.painter.day, d, self.when.zone) for d in facts.days]
        except AgentpodError as error:
            return [], [f"Without its picture: {error.message} {error.remedy or ''}".strip()]
        except Exception as error:  # a digest without its picture is better than none
            logger.exception("the digest's picture could not be drawn")
            return [], [
                f"Without its picture: it could not be drawn ({type(error).__name__}); the bot's log has more."
            ]
        named = zip(facts.days, pictures, strict=True)
        return [Image(png, in_words(d, self.when.zone), f"{d.target}-{d.window.day}.png") for d, png in named], []


def _carried_out(repair: RepairRequest, start: datetime, end: datetime) -> bool:
    done = repair.state in (RequestState.SUCCEEDED, RequestState.FAILED) and repair.outcome is not None
    return bool(done and repair.outcome and start <= repair.outcome.at < end)


def _open(incidents: Sequence[Incident]) -> list[Incident]:
    return sorted((i for i in incidents if i.open), key=incident_card.rank)


def _ended(incidents: Sequence[Incident], start: datetime, end: datetime) -> list[Incident]:
    """The announced incidents that ended then, but for the jobs' own, in their order."""
    over = [i for i in incidents if not i.open and i.notified and sources.of(i.problem) is not HEARTBEAT]
    return sorted(
        (i for i in over if start <= i.ended_at < end), key=lambda i: (i.problem.since, i.problem.subject)
    )
