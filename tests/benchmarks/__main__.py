"""`make bench`: prints a table, writes build/bench.json, exits 1 if a row doesn't hold."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict

from tests.benchmarks import acks, alerts, approvals, heartbeats, process, status
from tests.benchmarks.common import ROOT, Row


async def _measure() -> list[Row]:
    rows: list[Row] = []
    for part in (heartbeats, status, approvals, alerts, acks, process):
        rows += await part.measure()
    return rows


def main() -> int:
    """Measure everything and report."""
    rows = asyncio.run(_measure())
    out = ROOT / "build" / "bench.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    width = max(len(row.name) for row in rows)
    for row in rows:
        verdict = "ok  " if row.holds else "FAIL"
        print(f"{verdict} {row.name:{width}}  {row.value:7.3f} ≤ {row.limit:<5g} {row.detail}")  # noqa: T201 - a report
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
