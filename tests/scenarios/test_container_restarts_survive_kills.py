"""A short form of the proof that no container is ended twice; `make soak` runs the long one."""

from __future__ import annotations

import pytest

from tests.soak.containers import prepared_containers

FAULTS = (
    "after-commit:3",  # approved and claimed
    "after-commit:4",  # the command is about to be sent
    "after-change:1",  # it was sent, and its end is not recorded
    "after-commit:5",
    "before-look:2",
    "away-after-change:1",
    "timed:1",
)


@pytest.mark.timeout(300)
async def test_a_killed_bot_ends_no_container_twice_and_tells_the_truth() -> None:
    async with prepared_containers(seed_=1, between=False) as proof:
        for number, fault in enumerate(FAULTS, start=1):
            await proof.round(number, fault)
        await proof.end()
    assert proof.tally.complaints == []
    assert proof.tally.kills >= len(FAULTS) - 2
    assert proof.tally.steps >= len(FAULTS) - 2
