"""Parse and judge 10,000 Pushgateway groups, against `json.loads` of the same bytes."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.adapters.pushgateway import parse
from bot.domain.heartbeat import judge
from bot.domain.target import HeartbeatPolicy

GROUPS = 10_000
LIMIT = 2.0
REPEATS = 9
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def _family(rng: random.Random, name: str, kind: str, value: float, labels: dict[str, str]) -> dict[str, object]:
    return {
        "time_stamp": "2026-06-01T11:59:00.123456789Z",
        "type": kind,
        "help": f"The {name.replace('_', ' ')} of the job.",
        "metrics": [{"labels": labels, "value": repr(value) if rng.random() < 0.5 else f"{value:.10e}"}],
    }


def payload(groups: int = GROUPS) -> bytes:
    """A gateway's answer: four groups a job, each with the gateway's two gauges and two of the job's own."""
    rng = random.Random(7)  # noqa: S311 - reproducible data, no secret
    clock = NOW.timestamp()
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


def _best(function: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def measure() -> dict[str, Any]:
    """The row for the bench table: ``value`` is the ratio, at most ``limit``. Half of the jobs have a policy."""
    body = payload()
    policies = [
        HeartbeatPolicy(job=f"job-{n}", stale_after=timedelta(hours=1), groups=("newest", "any", "all")[n % 3])
        for n in range(0, GROUPS // 4, 2)
    ]
    metrics = {policy.metric for policy in policies}
    ours = _best(lambda: judge(policies, parse(body, metrics), NOW))
    plain = _best(lambda: json.loads(body))
    return {
        "name": "parse and judge 10,000 heartbeat groups ÷ json.loads",
        "value": round(ours / plain, 3),
        "limit": LIMIT,
        "detail": f"{ours * 1000:.1f} ms ÷ {plain * 1000:.1f} ms for {len(body) / 1e6:.1f} MB, best of {REPEATS}",
    }
