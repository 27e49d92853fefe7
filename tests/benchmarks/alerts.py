"""Alerts: a tick with 100 flips against its transaction alone, and 30 days of 1,000 jobs in no time."""

from __future__ import annotations

import asyncio
import heapq
import resource
import tempfile
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.adapters.ledger import SqlLedger, open_ledger
from bot.domain import alerting, watch
from bot.domain.alerting import AlertRules, Incident
from bot.domain.heartbeat import PUSHED, Group, Snapshot
from bot.domain.history import Happening
from bot.domain.target import HeartbeatPolicy, Target
from bot.domain.watch import Memory
from bot.jobs.incidents import Incidents
from bot.jobs.muting import Muting
from bot.jobs.watch_heartbeats import HeartbeatWatch
from tests.benchmarks.common import Row

JOBS, FLIPS, ROUNDS = 10_000, 100, 7
TRAVELLERS, DAYS = 1_000, 30
START = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    """A clock to set."""

    time = START

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


class Source:
    """What the gateway holds."""

    def __init__(self, names: list[str]) -> None:
        self.groups = {name: Group({"job": name}, {PUSHED: START.timestamp()}) for name in names}

    async def read(self, metrics: Collection[str]) -> Snapshot:
        return Snapshot(list(self.groups.values()))

    async def push(self, labels: object, gauges: object) -> None:
        raise NotImplementedError


async def measure() -> list[Row]:
    """Both rows."""
    return [await _tick(), _travel()]


# A tick


async def _tick() -> Row:
    with tempfile.TemporaryDirectory() as folder:
        ours, alone = await _ticks(Path(folder))
    detail = (
        f"{ours * 1000:.1f} ms for {FLIPS} flips of {JOBS:,} jobs beside {alone * 1000:.1f} ms, best of {ROUNDS}"
    )
    return Row("tick with 100 flips vs its transaction", ours / alone, 1.5, detail)


async def _ticks(folder: Path) -> tuple[float, float]:
    """Seconds of a tick with flips less one without, and of the same rows written by a transaction alone.

    The look at all jobs is measured by its own row: what flips is to cost what it writes.
    """
    names = [f"job-{n:05}" for n in range(JOBS)]
    policies = tuple(HeartbeatPolicy(job=name, stale_after=HOUR) for name in names)
    target = Target(heartbeats=policies)
    ledger = await open_ledger(f"sqlite+aiosqlite:///{folder / 'a.db'}")
    other = await open_ledger(f"sqlite+aiosqlite:///{folder / 'b.db'}")
    clock, source, rules = Clock(), Source(names), AlertRules(keep_firing=timedelta())
    incidents = Incidents(ledger, clock, rules, {target.name: "C07OPSPOD01"})
    watcher = HeartbeatWatch(source, clock, rules, [target], incidents, Muting(rules).of)
    await watcher.tick()
    flipping, bare, idle = [], [], []
    for number in range(ROUNDS):
        mine = names[number * FLIPS : (number + 1) * FLIPS]
        clock.time += 2 * HOUR
        for name in names:
            old = name in mine
            source.groups[name] = source.groups[name] if old else _pushed(name, clock.time)
        for name in names:  # all but those that flip are known as they are: their pushes are no part of it
            if name not in mine:
                key = f"{target.name}/{name}"
                watcher._memories[key] = watch.look(
                    policies[int(name[-5:])], [source.groups[name]], watcher._memories.get(key), clock.time
                ).memory
        started = time.perf_counter()
        changed = await watcher.tick()
        flipping.append(time.perf_counter() - started)
        assert len(changed) == FLIPS
        started = time.perf_counter()
        await watcher.tick()
        idle.append(time.perf_counter() - started)
        bare.append(
            await _written(other, target.name, changed, [watcher._memories[f"{target.name}/{n}"] for n in mine])
        )
        for name in mine:
            source.groups[name] = _pushed(name, clock.time)
        await watcher.tick()
    await ledger.close()
    await other.close()
    return min(flipping) - min(idle), min(bare)


def _pushed(name: str, at: datetime) -> Group:
    return Group({"job": name}, {PUSHED: at.timestamp()})


async def _written(ledger: SqlLedger, target: str, changed: list[Incident], memories: list[Memory]) -> float:
    """Seconds of a transaction that writes the same rows and decides nothing."""
    owed = [(f"incident:{i.id}", "C07OPSPOD01", f"group:{i.group}") for i in changed]
    things = [Happening(target, m.job, m.since or START, m.health.value) for m in memories]
    started = time.perf_counter()
    async with ledger.writing() as tx:
        await tx.save_incidents(changed)
        await tx.remember(target, memories)
        await tx.happened(things)
        await tx.owe_all(owed)
    return time.perf_counter() - started


# Time travel


def _travel() -> Row:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    looks, told = travel(TRAVELLERS, DAYS)
    seconds = time.perf_counter() - started
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert told == TRAVELLERS, "each job is down once"
    memory = f"{grown:.1f} MiB more at the most"
    detail = f"{seconds:.1f} s for {DAYS} days of {TRAVELLERS:,} jobs, {looks:,} looks; {memory}"
    return Row("30 simulated days of 1,000 jobs (minutes)", seconds / 60, 1.0, detail)


def travel(jobs: int, days: int) -> tuple[int, int]:
    """Jobs that run every hour, each down once for a day; gives the looks, and the incidents that were told.

    Only what was pushed, or has a deadline, is looked at: as the watcher does it.
    """
    rules = AlertRules(remind=timedelta(days=9))
    grace = timedelta(minutes=10)
    policies = {n: HeartbeatPolicy(job=f"job-{n}", schedule="0 * * * *", grace=grace) for n in range(jobs)}
    memories: dict[int, Memory] = {}
    open_: dict[int, Incident] = {}
    events = [(START + timedelta(seconds=n % 300), n, True) for n in range(jobs)]
    heapq.heapify(events)
    end, looks, told = START + timedelta(days=days), 0, set()
    last: dict[int, Group] = {}
    timers: dict[int, datetime] = {}
    while events and events[0][0] < end:
        now, n, pushes = heapq.heappop(events)
        if pushes:
            down = START + timedelta(days=1 + n % (days - 3)) <= now < START + timedelta(days=2 + n % (days - 3))
            heapq.heappush(events, (now + HOUR, n, True))
            if down:
                continue
            last[n] = Group({"job": f"job-{n}"}, {PUSHED: now.timestamp()})
        elif timers.get(n) != now:
            continue  # another look has set another time since
        groups = [last[n]] if n in last else []
        if n not in open_ and watch.unchanged(policies[n], memories.get(n), groups, now):
            continue
        looks += 1
        found = watch.look(policies[n], groups, memories.get(n), now)
        memories[n] = found.memory
        incident = alerting.decide(open_.get(n), watch.problem("t", found, now), rules, now)
        if incident is not None and incident.told:
            told.add(incident.id)
        if incident is None or not incident.open:
            open_.pop(n, None)
        else:
            open_[n] = incident
        again = found.memory.next_at if incident is None or not incident.open else now + timedelta(minutes=30)
        if again is not None:
            timers[n] = again
            heapq.heappush(events, (again, n, False))
    return looks, len(told)


if __name__ == "__main__":
    for row in asyncio.run(measure()):
        print(row)  # noqa: T201 - a report
