"""Rounds of jobs that stop and run again while bots are killed: no notification is lost or sent twice.

A real Pushgateway takes the heartbeats, as the handbook's script pushes them. A bot killed after Slack
accepted a message, but before recording that, can't know that it was accepted: it posts the message again, which
counts as a copy. The last copy must be true, and there are never more copies than kills.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.adapters.ledger.ledger import SqlLedger, open_ledger
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.domain.incidents.problem import Reason
from bot.errors import AgentpodError
from bot.services.digest.post_digest import MARK
from bot.services.incidents.poll_coverage import heartbeat_coverage
from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.postgres import Postgres
from tests.pushgateway import push, real_pushgateway
from tests.soak.bot import POINTS
from tests.soak.fleet import PATIENCE, Fleet, Tally

JOBS = tuple(f"job-{letter}" for letter in "abcde")
STALE_AFTER = 4.0
"""Seconds; covers several pushes, so that no job goes stale on a busy machine."""
EVERY = 0.7
"""Seconds between two heartbeats of a job."""
ONCE = (Reason.FIRST_FIRING, Reason.RESOLVED)
"""The notifications that each incident sends exactly once."""


@dataclass
class AlertTally(Tally):
    """The counts of the last line. ``lost`` and ``doubled`` count notifications."""

    notices: int = 0
    copies: int = 0
    late: int = 0
    """Rounds in which this machine was too busy to push in time, so running jobs were rightly called stale."""

    def __str__(self) -> str:
        """The last line."""
        return (
            f"rounds={self.rounds} kills={self.kills} notices={self.notices} "
            f"doubled={self.doubled} lost={self.lost} untrue={self.untrue} copies={self.copies} late={self.late}"
        )


@dataclass
class AlertProof:
    """One run of the proof."""

    sandbox: Sandbox
    fleet: Fleet
    ledger: SqlLedger
    postgres: Postgres | None
    gateway: str
    dice: random.Random
    tally: AlertTally
    beating: set[str] = field(default_factory=lambda: set(JOBS))
    over: asyncio.Event = field(default_factory=asyncio.Event)
    longest: float = 0.0
    """The longest gap in seconds between two heartbeats of a running job in this round."""

    async def beat(self) -> None:
        """Push for all running jobs until ``over`` is set; cancelling a push would leave its process behind."""
        before = time.monotonic()
        while not self.over.is_set():
            began = time.monotonic()
            await push(self.gateway, *sorted(self.beating))
            self.longest = max(self.longest, time.monotonic() - before)
            before = began
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.over.wait(), EVERY)

    async def round(self, number: int, fault: str = "") -> None:
        """One round: some jobs stop, are reported, perhaps acknowledged, and run again, while a bot is killed."""
        self.tally.rounds += 1
        kills, started, self.longest = self.tally.kills, datetime.now(UTC), 0.0
        fault = fault or self.dice.choice((*POINTS, "timed", "timed")) + f":{self.dice.randint(1, 6)}"
        if not fault.startswith("timed"):
            await self.fleet.arm(self.dice.randrange(self.fleet.count), fault)
        silent = sorted(self.dice.sample(JOBS, self.dice.randint(1, 3)))
        self.beating -= set(silent)
        trouble = asyncio.create_task(self._disturb())
        try:
            told = await self._all(silent, started, lambda i: i.notified and i.open and self._shown(i, "🔴"))
            if told and self.dice.random() < 0.5:
                await self._acknowledge(self.dice.choice(told))
            self.beating |= set(silent)
            over = await self._all(silent, started, lambda i: not i.open and self._shown(i, "✅"))
        finally:
            self.beating = set(JOBS)
            await trouble
        await self._wait_delivered()
        self._judge(number, fault, silent, over, await self._since(started))
        await self._judge_messages(number, fault, over, self.tally.kills - kills)

    async def _disturb(self) -> None:
        for _ in range(self.dice.randint(0, 2)):
            await asyncio.sleep(self.dice.uniform(0, 4))
            self.fleet.kill(self.dice.randrange(self.fleet.count))
        if self.postgres is not None and self.dice.random() < 0.15:
            await asyncio.to_thread(self.postgres.stop)
            await asyncio.sleep(self.dice.uniform(0.5, 2.0))
            self.postgres.start()  # in this thread, since the server ends with the thread that started it

    async def _since(self, started: datetime) -> list[Incident]:
        """The incidents opened since then; none while the ledger is unavailable."""
        with contextlib.suppress(AgentpodError):
            found = await self.ledger.incidents(since=started, limit=200)
            return [i for i in found if i.opened_at >= started and i.problem.subject in JOBS]
        return []

    async def _all(self, jobs: Sequence[str], started: datetime, holds: Any) -> list[Incident]:
        """Wait until the predicate holds for an incident of each job."""
        end = time.monotonic() + PATIENCE
        while True:
            good = [i for i in await self._since(started) if i.problem.subject in jobs and holds(i)]
            if {i.problem.subject for i in good} == set(jobs) or time.monotonic() > end:
                return good
            await asyncio.sleep(0.1)

    def _roots(self, incident: Incident) -> list[Message]:
        """The incident's message and its copies, oldest first."""
        here = self.sandbox.workspace.messages(seed.OPS)
        return [m for m in here if m.ephemeral_for is None and f"{incident.id} · " in m.all_text()]

    def _shown(self, incident: Incident, mark: str) -> bool:
        roots = self._roots(incident)
        return bool(roots) and roots[-1].text.startswith(mark)

    async def _acknowledge(self, incident: Incident) -> None:
        roots = self._roots(incident)
        with contextlib.suppress(Exception):  # a bot that is dead at that moment misses the click
            await self.sandbox.workspace.click(seed.MAYA, roots[-1], "agentpod:run:0")

    async def _wait_delivered(self) -> None:
        """Wait until no message is pending."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(AgentpodError):
                if not await self.ledger.waiting():
                    return
            await asyncio.sleep(0.1)
        self.tally.complaints.append(f"messages are still owed\n{self.fleet.log()}")

    def _judge(
        self, number: int, fault: str, silent: Sequence[str], over: Sequence[Incident], all_: Sequence[Incident]
    ) -> None:
        """Check that each stopped job has one incident, reported and resolved, and running jobs have none."""
        said = f"round {number} ({fault})"
        for job in silent:
            mine = [i for i in all_ if i.problem.subject == job]
            if not any(i.problem.subject == job for i in over):
                self._lost(f"{said}: {job} was silent, and it was not told and resolved: {mine}")
            if len(mine) > 1 and self.longest >= STALE_AFTER:
                self.tally.late += 1
            elif len(mine) > 1:
                self._doubled(f"{said}: {len(mine)} incidents of {job}")
        false = sorted({i.problem.subject for i in all_} - set(silent))
        if false and self.longest >= STALE_AFTER:
            self.tally.late += 1
        elif false:
            self.tally.untrue += 1
            self.tally.complaints.append(f"{said}: {false} ran all the time\n{self.fleet.log()}")

    async def _judge_messages(self, number: int, fault: str, over: Sequence[Incident], kills: int) -> None:
        """Check that each notification is in Slack once, with copies only where a bot was killed."""
        for incident in over:
            roots, said = self._roots(incident), f"round {number} ({fault}), {incident.problem.subject}"
            replies = Counter(m.text for r in roots for m in self._thread(r))
            reasons = [n.reason for n in incident.notices]
            self.tally.notices += len(reasons)
            if any(reasons.count(reason) != 1 for reason in ONCE):
                self._doubled(f"{said}: the incident says {[r.value for r in reasons]}")
            if len(replies) < len(reasons) - 1:
                self._lost(f"{said}: {[r.value for r in reasons]}, in Slack {list(replies)}")
            copies = [n - 1 for n in (len(roots), *replies.values())]
            self.tally.copies += sum(copies)
            if max(copies) > kills:
                self._doubled(f"{said}: {max(copies)} copies of one message after {kills} kills")

    def _thread(self, root: Message) -> list[Message]:
        found = self.sandbox.workspace.messages(seed.OPS, thread_ts=root.ts)
        return [m for m in found if m.ts != root.ts]

    def _lost(self, text: str) -> None:
        self.tally.lost += 1
        self.tally.complaints.append(f"{text}\n{self.fleet.log()}")

    def _doubled(self, text: str) -> None:
        self.tally.doubled += 1
        self.tally.complaints.append(text)

    async def end(self) -> None:
        """Check that the digest that was due at the start was posted once."""
        here = [m for m in self.sandbox.workspace.messages(seed.OPS) if m.ephemeral_for is None]
        signs = ("pod up", "pod unknown", "no data")
        digests = [m for m in here if any(sign in m.text for sign in signs)]
        if not digests:
            self._lost("the digest was not posted")
        elif len(digests) > 1 + self.tally.kills:
            self._doubled(f"{len(digests)} digests")
        self.tally.copies += max(len(digests) - 1, 0)


@asynccontextmanager
async def prepared_alerts(
    *, postgres: Postgres | None, seed_: int, between: bool = True
) -> AsyncIterator[AlertProof]:
    """Start everything: one bot on SQLite or two on PostgreSQL, with a digest due at once.

    ``between``: see `Fleet`.
    """
    url = postgres.create(f"alerts_{seed_}") if postgres else ""
    beats = [{"job": job, "severity": "critical", "stale_after": f"{STALE_AFTER:.0f}s"} for job in JOBS]
    rules = {"poll": "1s", "keep_firing": "0s", "flaps": 100, "flap_window": "1s", "group_at": 100}
    tally = AlertTally()
    async with real_pushgateway() as gateway:
        settings: dict[str, Any] = {
            "alerts": rules,
            "pushgateway": {"url": gateway},
            "digest": {"at": "00:00", "timezone": "UTC"},
        }
        if url:
            settings["ledger"] = {"url": url}
        async with Sandbox(rate_limits=False, settings=settings, target={"heartbeats": beats}) as sandbox:
            path = url or f"sqlite+aiosqlite:///{Path(sandbox.folder) / 'agentpod.db'}"
            ledger = await open_ledger(path, exclusive=False)
            await _day_before(ledger)
            await push(gateway, *JOBS)
            fleet = Fleet(sandbox, 2 if postgres else 1, tally, between=between)
            proof = AlertProof(
                sandbox,
                fleet,
                ledger,
                postgres,
                gateway,
                random.Random(seed_),  # noqa: S311 - a test's dice
                tally,
            )
            beating = asyncio.create_task(proof.beat())
            try:
                await fleet.start()
                yield proof
            finally:
                await fleet.stop()
                proof.over.set()
                await asyncio.gather(beating, return_exceptions=True)
                await ledger.close()


async def _day_before(ledger: SqlLedger) -> None:
    """Record yesterday's digest as the last one, so that today's is due."""
    now = datetime.now(UTC)
    async with ledger.writing() as tx:
        yesterday = now - timedelta(days=1)
        await tx.set_mark(MARK, f"{yesterday.date().isoformat()}|{yesterday.isoformat()}")
        await tx.set_mark(heartbeat_coverage(AlertRules()).first, (now - timedelta(days=9)).isoformat())
