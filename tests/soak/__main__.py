"""``python -m tests.soak --rounds 200 [--of alerts] [--replicas 2] [--seed N]``: exits 0 only if all of it holds.

The last line counts: of repairs rollouts that were doubled or lost, of alerts notices.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from contextlib import AbstractAsyncContextManager, ExitStack

from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.build import CannotBuild, ensure
from tests.controlplane.plane import Plane
from tests.postgres import Postgres
from tests.soak.alerts import AlertProof, prepared_alerts
from tests.soak.proof import Proof, Tally, prepared


async def soak(prepared: AbstractAsyncContextManager[Proof | AlertProof], rounds: int) -> Tally:
    """All rounds; says each that does not hold when it comes."""
    started = time.monotonic()
    async with prepared as proof:
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


def run(of: str, replicas: int, rounds: int, number: int) -> Tally:
    """One of the four. Raises CannotBuild where there is no control plane to be had."""
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres()) if replicas == 2 else None
        if of == "alerts":
            return asyncio.run(soak(prepared_alerts(postgres=postgres, seed_=number), rounds))
        plane = stack.enter_context(Plane(ensure()))
        pod = AgentPod(plane, "agent-soak").create()
        return asyncio.run(soak(prepared(pod, postgres=postgres, seed_=number), rounds))


def main() -> int:
    """Run, and give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--of", choices=("repairs", "alerts"), action="append", help="without it both")
    both = "1: SQLite; 2: PostgreSQL; without it one after the other"
    parser.add_argument("--replicas", type=int, choices=(1, 2), action="append", help=both)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the dice, to throw them again")
    options = parser.parse_args()
    whole = Tally()
    try:
        for of in options.of or ("repairs", "alerts"):
            for replicas in options.replicas or (1, 2):
                kind = "one bot on SQLite" if replicas == 1 else "two bots on PostgreSQL"
                sys.stdout.write(f"{options.rounds} rounds of {of}, {kind}, seed {options.seed}\n")
                sys.stdout.flush()
                whole += run(of, replicas, options.rounds, options.seed)
    except CannotBuild as error:
        sys.stderr.write(f"no control plane: {error}\n")
        return 1
    sys.stdout.write(f"{whole}\n")
    return 0 if whole.holds else 1


if __name__ == "__main__":
    sys.exit(main())
