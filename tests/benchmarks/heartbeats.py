"""Parse and judge 10,000 Pushgateway groups as the watcher does, against `json.loads` of the same bytes."""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from bot.adapters.pushgateway import KnownGroups, parse
from bot.domain.core.history import HistoryEvent
from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.heartbeats.heartbeat import HeartbeatPoll
from bot.domain.incidents.alerting import AlertRules
from bot.ports.ledger import Ledger
from bot.services.incidents.incident_service import IncidentService
from bot.services.incidents.muting import Muting
from bot.services.incidents.watch_heartbeats import HeartbeatWatch
from tests.benchmarks.common import Row

GROUPS = 10_000
LIMIT = 2.0
REPEATS = 9
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def _family(rng: random.Random, name: str, kind: str, value: float, labels: dict[str, str]) -> dict[str, object]:
    return {
        "time_stamp": "2026-06-01T11:59:00.123456789Z",
        "type": kind,
        "help": f"The {name.replace('_', ' ')} of the job.",
        "metrics": [{"labels": labels, "value": repr(value) if rng.random() < 0.5 else f"{value:.10e}"}],
    }


def payload(now: datetime, groups: int = GROUPS) -> bytes:
    """A gateway's answer: four groups a job, each with the gateway's two gauges and two of the job's own."""
    rng = random.Random(7)  # noqa: S311 - reproducible data, no secret
    clock = now.timestamp()
    data = []
    for number in range(groups):
        labels = {"job": f"job_{number // 4}", "instance": f"node-{number % 4}.example"}
        success = clock - rng.uniform(1, 7200)
        values = {
            "push_time_seconds": success,
            "push_failure_time_seconds": 0.0 if rng.random() < 0.95 else clock - rng.uniform(1, 7200),
            "backup_last_success_timestamp_seconds": success,
            "backup_duration_seconds": rng.uniform(1, 100),
        }
        families = {n: _family(rng, n, "GAUGE", v, labels) for n, v in values.items()}
        data.append({"labels": labels, "last_push_successful": True, **families})
    return json.dumps({"status": "success", "data": data}, separators=(",", ":")).encode()


class Gateway:
    """The heartbeat source and the clock: one answer a minute, in which every group has a new push."""

    def __init__(self) -> None:
        self.time, self.body = NOW, b""
        self._known: KnownGroups = {}

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def read(self, metrics: Collection[str]) -> HeartbeatPoll:
        return parse(self.body, metrics, self._known)

    async def push(self, labels: object, gauges: object) -> None:
        raise NotImplementedError


class Nothing:
    """A ledger that keeps nothing; another row measures its cost."""

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Any]:
        yield self

    async def add_history(self, things: Sequence[HistoryEvent]) -> None:
        """Raise where the watcher takes its source for unavailable: then nothing was judged."""
        if any(thing.what == "blind" for thing in things):
            raise AssertionError("the watcher judged nothing: see its log")

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        empty = {
            "watched": "1",
            "newest_incidents": {},
            "job_states": {},
            "unposted": frozenset(),
            "open_requests": (),
        }

        async def call(*_: object, **__: object) -> Any:
            return empty.get(name, ())

        return call


async def _scrapes() -> tuple[list[float], list[float], list[float]]:
    """Seconds of a tick in which every job was pushed, of one in which none was, and of `json.loads`."""
    gateway, rules = Gateway(), AlertRules()
    kinds = ("newest", "any", "all")
    jobs = (HeartbeatPolicy(job=f"job-{n}", stale_after="1h", groups=kinds[n % 3]) for n in range(GROUPS // 4))
    target = Target(heartbeats=tuple(jobs))
    incidents = IncidentService(cast("Ledger", Nothing()), gateway, rules, {target.name: "C07OPSPOD01"})
    watcher = HeartbeatWatch(gateway, gateway, rules, [target], incidents, Muting(rules).of)
    pushed, same, plain = [], [], []
    for _ in range(REPEATS):
        gateway.time += MINUTE
        gateway.body = payload(gateway.time)
        for seconds in (pushed, same):
            started = time.perf_counter()
            await watcher.tick()
            seconds.append(time.perf_counter() - started)
        started = time.perf_counter()
        json.loads(gateway.body)
        plain.append(time.perf_counter() - started)
    return pushed, same, plain


async def measure() -> list[Row]:
    """The row for the bench table."""
    pushed, same, plain = map(min, await _scrapes())
    detail = (
        f"{pushed * 1000:.0f} ms where all were pushed ({same * 1000:.0f} ms where none was) ÷ "
        f"{plain * 1000:.0f} ms, the watcher's tick without a ledger, best of {REPEATS}"
    )
    return [Row("parse and judge 10,000 heartbeat groups ÷ json.loads", pushed / plain, LIMIT, detail)]
