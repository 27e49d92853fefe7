"""Alerts: a tick with 100 flips beside its transaction alone, and 30 days of 1,000 jobs: their time and memory."""

from __future__ import annotations

import asyncio
import gc
import heapq
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, cast

from bot.__main__ import COLLECTOR
from bot.adapters.ledger.ledger import SqlLedger, open_ledger
from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.heartbeats.heartbeat import PUSH_FAILED, PUSHED, Group, HeartbeatPoll
from bot.domain.incidents import alerting, job_state
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.domain.incidents.job_state import JobState
from bot.ports.ledger import Ledger
from bot.services.incidents.incident_service import IncidentService
from bot.services.incidents.muting import Muting
from bot.services.incidents.watch_heartbeats import HeartbeatWatch
from tests.benchmarks.common import Row

JOBS, MANY, FLIPS, ROUNDS = 1_000, 10_000, 100, 100
TRAVELLERS, DAYS, EARLY = 1_000, 30, 5
START = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Call = tuple[str, tuple[object, ...]]


class Clock:
    """A settable clock."""

    time = START

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


class Source:
    """The gateway's content, already parsed: another row measures parsing."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}

    async def read(self, metrics: Collection[str]) -> HeartbeatPoll:
        return HeartbeatPoll(list(self._groups.values()))

    def push(self, name: str, at: datetime) -> None:
        self._groups[name] = Group({"instance": "", "job": name}, {PUSHED: at.timestamp(), PUSH_FAILED: 0.0})


async def measure() -> list[Row]:
    """Measure all rows."""
    return [await _tick(), *_travel()]


# A tick


class Noting:
    """A ledger that records each transaction's calls, so that they can be replayed alone."""

    def __init__(self, ledger: SqlLedger) -> None:
        self._ledger = ledger
        self.transactions: deque[list[Call]] = deque()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Any]:
        self.transactions.append([])
        async with self._ledger.writing() as tx:
            yield Noted(tx, self.transactions[-1])


class Noted:
    """A transaction whose calls are recorded."""

    def __init__(self, tx: object, calls: list[Call]) -> None:
        self._tx, self._calls = tx, calls

    def __getattr__(self, name: str) -> Callable[..., Any]:
        asked = getattr(self._tx, name)

        def call(*args: object) -> Any:
            self._calls.append((name, args))
            return asked(*args)

        return call


async def _tick() -> Row:
    """The median of tick over transaction in the same round, so that other load on the machine affects both."""
    with tempfile.TemporaryDirectory() as folder:
        rounds = await _ticks(Path(folder), JOBS)
    with tempfile.TemporaryDirectory() as folder:
        many = await _ticks(Path(folder), MANY)
    ratio = median(tick / alone for tick, alone in rounds)
    ours, alone, of_many = (median(each) * 1000 for each in (*zip(*rounds, strict=True), [m for m, _ in many]))
    detail = (
        f"{ours:.1f} ms with {FLIPS} flips of {JOBS:,} watched jobs ({of_many:.1f} ms of {MANY:,}) ÷ "
        f"{alone:.1f} ms for the same reads and writes by themselves, medians of {ROUNDS}"
    )
    return Row(f"tick over {JOBS:,} jobs with 100 flips ÷ its transaction", ratio, 1.5, detail)


async def _ticks(folder: Path, jobs: int) -> list[tuple[float, float]]:
    """Seconds of a whole tick in which some jobs flip, and of its transaction alone on another database.

    Each hour the next hundred jobs are stale, and send a heartbeat after that.
    """
    names = [f"job-{n:05}" for n in range(jobs)]
    age = jobs // FLIPS * HOUR
    target = Target(heartbeats=tuple(HeartbeatPolicy(job=name, stale_after=age) for name in names))
    ledger = await open_ledger(f"sqlite+aiosqlite:///{folder / 'a.db'}")
    other = await open_ledger(f"sqlite+aiosqlite:///{folder / 'b.db'}")
    clock, source, rules, noting = Clock(), Source(), AlertRules(keep_firing=timedelta()), Noting(ledger)
    incidents = IncidentService(cast("Ledger", noting), clock, rules, {target.name: "C07OPSPOD01"})
    watcher = HeartbeatWatch(source, clock, rules, [target], incidents, Muting(rules).of)
    gc.collect()
    gc.freeze()  # don't scan what other rows have left
    thresholds = gc.get_threshold()
    gc.set_threshold(*COLLECTOR)  # as in the bot's process
    for number, name in enumerate(names):
        source.push(name, START - age + (number // FLIPS + 1) * HOUR)
    await watcher.tick()
    await _alone(other, noting.transactions.popleft())
    rounds = []
    for number in range(ROUNDS):
        mine = [names[n % jobs] for n in range(number * FLIPS, (number + 1) * FLIPS)]
        clock.time += HOUR
        started = time.perf_counter()
        changed = await watcher.tick()
        ours = time.perf_counter() - started
        assert len(changed) == FLIPS
        for name in mine:
            source.push(name, clock.time)
        await watcher.tick()
        assert len(noting.transactions) == 2, "a tick is one transaction"
        rounds.append((ours, await _alone(other, noting.transactions.popleft())))
        await _alone(other, noting.transactions.popleft())
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    await ledger.close()
    await other.close()
    return rounds


async def _alone(ledger: SqlLedger, calls: Sequence[Call]) -> float:
    """Seconds of a transaction alone: the same reads and writes, without the decisions."""
    started = time.perf_counter()
    async with ledger.writing() as tx:
        for name, args in calls:
            await getattr(tx, name)(*args)
    return time.perf_counter() - started


# Time travel


def _travel() -> list[Row]:
    blocks: list[int] = []  # memory in use, regardless of what other rows have freed

    def evening() -> None:
        gc.collect()
        blocks.append(sys.getallocatedblocks())

    started = time.perf_counter()
    looks, told = travel(TRAVELLERS, DAYS, evening)
    seconds = time.perf_counter() - started
    assert told == TRAVELLERS, "each job is down once"
    detail = f"{seconds:.1f} s for {DAYS} days of {TRAVELLERS:,} jobs, {looks:,} looks"
    early, late = blocks[EARLY - 1], max(blocks[EARLY:])
    grown = f"{late:,} blocks of memory in use at the most after day {EARLY}, beside {early:,} then"
    return [
        Row("30 simulated days of 1,000 jobs (minutes)", seconds / 60, 1.0, detail),
        Row("memory that they take after day 5 ÷ on day 5", late / early, 1.05, grown),
    ]


def travel(jobs: int, days: int, evening: Callable[[], None]) -> tuple[int, int]:
    """Jobs that run every hour, each down once for a day; returns the numbers of polls and of reported incidents.

    As in the watcher, only jobs that pushed or have a deadline are evaluated. ``evening`` is called each day.
    """
    rules = AlertRules(remind=timedelta(days=9))
    grace = timedelta(minutes=10)
    policies = {n: HeartbeatPolicy(job=f"job-{n}", schedule="0 * * * *", grace=grace) for n in range(jobs)}
    job_states: dict[int, JobState] = {}
    open_: dict[int, Incident] = {}
    events = [(START + timedelta(seconds=n % 300), n, True) for n in range(jobs)]
    heapq.heapify(events)
    end, tomorrow, looks, told = START + timedelta(days=days), START + DAY, 0, set()
    last: dict[int, Group] = {}
    timers: dict[int, datetime] = {}
    while events and events[0][0] < end:
        now, n, pushes = heapq.heappop(events)
        if now >= tomorrow:
            tomorrow += DAY
            evening()
        if pushes:
            down = START + timedelta(days=1 + n % (days - 3)) <= now < START + timedelta(days=2 + n % (days - 3))
            heapq.heappush(events, (now + HOUR, n, True))
            if down:
                continue
            last[n] = Group({"job": f"job-{n}"}, {PUSHED: now.timestamp()})
        elif timers.get(n) != now:
            continue  # a later evaluation has changed the deadline
        groups = [last[n]] if n in last else []
        if n not in open_ and job_state.unchanged(policies[n], job_states.get(n), groups, now):
            continue
        looks += 1
        found = job_state.look(policies[n], groups, job_states.get(n), now)
        job_states[n] = found.memory
        incident = alerting.decide(
            open_.get(n), job_state.problem("t", f"heartbeat:t:job-{n}", found, now), rules, now
        )
        if incident is not None and incident.notified:
            told.add(incident.id)
        if incident is None or not incident.open:
            open_.pop(n, None)
        else:
            open_[n] = incident
        again = found.memory.next_at if incident is None or not incident.open else now + timedelta(minutes=30)
        if again is not None:
            timers[n] = again
            heapq.heappush(events, (again, n, False))
    evening()
    return looks, len(told)


if __name__ == "__main__":
    for row in asyncio.run(measure()):
        print(row)  # noqa: T201 - a report
