"""A short form of the proof that no heartbeat is pushed twice by hand; `make soak` runs the long one."""

from __future__ import annotations

import pytest

from tests.soak.heartbeats import prepared_heartbeats

FAULTS = (
    "after-commit:3",  # approved and claimed
    "after-commit:4",  # it is about to be pushed
    "before-change:1",
    "after-change:1",  # it was pushed, and nobody knows
    "after-commit:5",
    "away-after-change:1",
)


@pytest.mark.timeout(300)
async def test_a_killed_bot_pushes_nothing_twice_and_tells_the_truth() -> None:
    async with prepared_heartbeats(seed_=1, between=False) as proof:
        for number, fault in enumerate(FAULTS, start=1):
            await proof.round(number, fault)
        await proof.end()
    assert proof.tally.complaints == []
    assert proof.tally.kills >= len(FAULTS) - 2
    assert proof.tally.steps >= len(FAULTS) - 3
