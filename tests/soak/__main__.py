"""``python -m tests.soak --rounds 200 [--of alerts] [--replicas 2] [--seed N]``: exits 0 only if all of it holds.

The last line counts: of repairs rollouts that were doubled or lost, of alerts notices, of verdicts untrue ones, of
forecasts of the downtime those that held.
More than one of the twenty-two proofs run in processes of their own, two at a time where there are two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, ExitStack

from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.build import CannotBuild, ensure
from tests.controlplane.plane import SETPRIV, Plane
from tests.postgres import Postgres
from tests.soak.alerts import AlertProof, prepared_alerts
from tests.soak.configs import prepared_configs
from tests.soak.containers import prepared_containers
from tests.soak.crontabs import prepared_crontabs
from tests.soak.declared import DeclaredProof, prepared_declared
from tests.soak.egress import prepared_egress
from tests.soak.fleet import Tally
from tests.soak.forecasts import ForecastProof, prepared_forecasts
from tests.soak.heartbeats import prepared_heartbeats
from tests.soak.images import prepared_images
from tests.soak.keys import prepared_keys
from tests.soak.proof import Proof, prepared
from tests.soak.verdicts import judge_many

COUNTS = re.compile(r"(\w+)=(\d+)")
KINDS = (
    "repairs",
    "declared",
    "containers",
    "keys",
    "heartbeats",
    "crontabs",
    "egress",
    "images",
    "configs",
    "alerts",
    "forecasts",
    "verdicts",
)
Soaked = Proof | AlertProof | DeclaredProof | ForecastProof
FIRST = ("rounds", "kills", "rollouts", "doubled", "lost", "untrue")
"""How the last line begins."""


async def soak(prepared: AbstractAsyncContextManager[Soaked], rounds: int) -> Tally:
    """Run all rounds, printing failures as they come."""
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
    """Run one of the twenty-two proofs. Raises CannotBuild if the control plane can't be built."""
    if of == "verdicts":
        return judge_many(rounds, number)
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres()) if replicas == 2 else None
        if of == "forecasts":
            return asyncio.run(soak(prepared_forecasts(seed_=number), rounds))
        if of == "alerts":
            return asyncio.run(soak(prepared_alerts(postgres=postgres, seed_=number), rounds))
        if of == "declared":
            return asyncio.run(soak(prepared_declared(postgres=postgres, seed_=number), rounds))
        if of == "heartbeats":
            return asyncio.run(soak(prepared_heartbeats(postgres=postgres, seed_=number), rounds))
        if of == "keys":
            return asyncio.run(soak(prepared_keys(postgres=postgres, seed_=number), rounds))
        if of == "containers":
            return asyncio.run(soak(prepared_containers(postgres=postgres, seed_=number), rounds))
        if of == "egress":
            return asyncio.run(soak(prepared_egress(postgres=postgres, seed_=number), rounds))
        if of == "images":
            return asyncio.run(soak(prepared_images(postgres=postgres, seed_=number), rounds))
        if of == "configs":
            return asyncio.run(soak(prepared_configs(postgres=postgres, seed_=number), rounds))
        if of == "crontabs":
            return asyncio.run(soak(prepared_crontabs(postgres=postgres, seed_=number), rounds))
        plane = stack.enter_context(Plane(ensure()))
        pod = AgentPod(plane, "agent-soak").create()
        return asyncio.run(soak(prepared(pod, postgres=postgres, seed_=number), rounds))


def alone(of: str, replicas: int, rounds: int, number: int) -> bool:
    """Run one proof in this process and print its counts; returns whether it holds."""
    kind = {0: "without a bot", 1: "one bot on SQLite"}.get(replicas, "two bots on PostgreSQL")
    sys.stdout.write(f"{rounds} rounds of {of}, {kind}, seed {number}\n")
    sys.stdout.flush()
    try:
        tally = run(of, replicas, rounds, number)
    except CannotBuild as error:
        sys.stderr.write(f"no control plane: {error}\n")
        return False
    sys.stdout.write(f"{tally}\n")
    return tally.holds


async def side_by_side(modes: Sequence[tuple[str, int]], rounds: int, number: int) -> bool:
    """Run several proofs in separate processes and sum up their counts; returns whether all hold."""
    gate, whole = asyncio.Semaphore(min(2, os.cpu_count() or 1)), Counter(dict.fromkeys(FIRST, 0))

    async def one(of: str, replicas: int) -> bool:
        words = ("--of", of, "--replicas", str(replicas), "--rounds", str(rounds), "--seed", str(number))
        async with gate:
            child = await asyncio.create_subprocess_exec(
                *(SETPRIV, "--pdeathsig", "INT", "--", sys.executable, "-m", "tests.soak", *words),
                stdout=asyncio.subprocess.PIPE,
                limit=2**20,
            )
            assert child.stdout is not None
            last = ""
            async for line in child.stdout:
                last = line.decode()
                sys.stdout.write(f"{of}-{replicas}: {last}")
                sys.stdout.flush()
            whole.update({name: int(count) for name, count in COUNTS.findall(last)})
            return await child.wait() == 0

    held = await asyncio.gather(*(one(*mode) for mode in modes))
    sys.stdout.write(" ".join(f"{name}={count}" for name, count in whole.items()) + "\n")
    return all(held)


def _replicas(of: str, wanted: Sequence[int]) -> Sequence[int]:
    """The numbers of replicas to run with: none for verdicts, which need no bot; forecasts need one."""
    return {"verdicts": (0,), "forecasts": (1,)}.get(of, wanted)


def main() -> int:
    """Run the proofs; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--of", choices=KINDS, action="append", help="without it all")
    both = "1: SQLite; 2: PostgreSQL; without it both"
    parser.add_argument("--replicas", type=int, choices=(0, 1, 2), action="append", help=both)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the dice, to throw them again")
    options = parser.parse_args()
    modes = [(of, n) for of in options.of or KINDS for n in _replicas(of, options.replicas or (1, 2))]
    if len(modes) == 1:
        return 0 if alone(*modes[0], options.rounds, options.seed) else 1
    return 0 if asyncio.run(side_by_side(modes, options.rounds, options.seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
