"""Mutated API objects in numbers: no verdict is "healthy" against what Kubernetes says, and none raises."""

from __future__ import annotations

import sys

from tests.soak.fleet import Tally
from tests.verdicts.judged import complaint
from tests.verdicts.mutate import mutated

A_ROUND = 5_000
"""Mutations in one round: a million in 200."""


def judge_many(rounds: int, number: int) -> Tally:
    """Run all rounds, printing failures as they come. ``number`` is the first round's seed."""
    tally = Tally()
    for _ in range(rounds):
        tally.rounds += 1
        for seed in range(number, number + A_ROUND):
            if words := _complaint(seed):
                tally.untrue += 1
                tally.complaints.append(words)
                sys.stdout.write(f"DOES NOT HOLD: mutation {seed}: {words}\n")
        number += A_ROUND
    return tally


def _complaint(seed: int) -> str:
    try:
        return complaint(*mutated(seed))
    except Exception as error:
        return f"it raised {error!r}"
