"""`make bench`: prints a table, writes build/bench.json, exits 1 if a row doesn't hold.

Words (`ARGS="approvals acks"`) are the only parts to be measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Collection
from dataclasses import asdict

from tests.benchmarks import (
    acks,
    alerts,
    approvals,
    heartbeats,
    hostile,
    outages,
    process,
    redaction,
    runbook,
    status,
)
from tests.benchmarks.common import ROOT, Row

PARTS = {
    part.__name__.rpartition(".")[2]: part
    for part in (heartbeats, redaction, status, runbook, approvals, alerts, acks, outages, hostile, process)
}


async def _measure(names: Collection[str]) -> list[Row]:
    rows: list[Row] = []
    for name, part in PARTS.items():
        if name in names:
            rows += await part.measure()
    return rows


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; without any all")
    wanted = parser.parse_args().parts or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    rows = asyncio.run(_measure(wanted))
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
