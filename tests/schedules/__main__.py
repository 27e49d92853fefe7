"""`python -m tests.schedules [LINES] [SEED]`: compare any number of random lines with the real crons."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from bot.domain.core.cron import DIALECTS
from tests.schedules.build import ensure
from tests.schedules.nights import compare


def main(lines: int, seed: int) -> int:
    """Try that many lines for each night of each zone; returns 1 if anything differs."""
    crons = ensure()
    failed = False
    for cron in DIALECTS:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            tally = compare(cron, crons, Path(folder), lines, seed)
        took = time.monotonic() - started
        sys.stdout.write(
            f"{cron}: {tally.tried} lines, {tally.taken} of them taken, {tally.runs} runs, "
            f"{len(tally.differences)} differ (seed {seed}, {took:.0f} s)\n"
        )
        sys.stdout.writelines(f"  {difference}\n" for difference in tally.differences[:20])
        failed |= bool(tally.differences)
    return int(failed)


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(given + [500, int(time.time())][len(given) :])))
