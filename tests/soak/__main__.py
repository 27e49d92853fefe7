"""``python -m tests.soak --rounds 200 [--replicas 2] [--seed N]``: exits 0 only if it holds; see the last line."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from contextlib import ExitStack

from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.build import CannotBuild, ensure
from tests.controlplane.plane import Plane
from tests.postgres import Postgres
from tests.soak.proof import Tally, prepared


async def soak(pod: AgentPod, postgres: Postgres | None, rounds: int, number: int) -> Tally:
    """All rounds; says each that does not hold when it comes."""
    started = time.monotonic()
    async with prepared(pod, postgres=postgres, seed_=number) as proof:
        for one in range(1, rounds + 1):
            known = len(proof.tally.complaints)
            await proof.round(one)
            for complaint in proof.tally.complaints[known:]:
                sys.stdout.write(f"DOES NOT HOLD: {complaint}\n")
            if one % 10 == 0:
                sys.stdout.write(f"{time.monotonic() - started:6.0f} s  {proof.tally}\n")
            sys.stdout.flush()
        known = len(proof.tally.complaints)
        await proof.end()
        for complaint in proof.tally.complaints[known:]:
            sys.stdout.write(f"DOES NOT HOLD: {complaint}\n")
        return proof.tally


def main() -> int:
    """Run, and give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    both = "1: SQLite; 2: PostgreSQL; without it one after the other"
    parser.add_argument("--replicas", type=int, choices=(1, 2), action="append", help=both)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the dice, to throw them again")
    options = parser.parse_args()
    try:
        binaries = ensure()
    except CannotBuild as error:
        sys.stderr.write(f"no control plane: {error}\n")
        return 1
    whole = Tally()
    for replicas in options.replicas or (1, 2):
        kind = "one bot on SQLite" if replicas == 1 else "two bots on PostgreSQL"
        sys.stdout.write(f"{options.rounds} rounds, {kind}, seed {options.seed}\n")
        sys.stdout.flush()
        with ExitStack() as stack:
            plane = stack.enter_context(Plane(binaries))
            postgres = stack.enter_context(Postgres()) if replicas == 2 else None
            pod = AgentPod(plane, "agent-soak").create()
            whole += asyncio.run(soak(pod, postgres, options.rounds, options.seed))
    sys.stdout.write(f"{whole}\n")
    return 0 if whole.holds else 1


if __name__ == "__main__":
    sys.exit(main())
