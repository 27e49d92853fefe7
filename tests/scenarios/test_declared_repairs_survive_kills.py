"""A short form of the proof that no step of a declared repair is run twice; `make soak` runs the long one."""

from __future__ import annotations

import pytest

from tests.soak.declared import prepared_declared

FAULTS = (
    "after-commit:3",  # approved and claimed
    "after-commit:4",  # the first step is about to be sent
    "before-change:1",
    "after-change:1",  # it was run, and its end is not recorded
    "after-commit:5",
    "before-change:2",
    "after-change:2",
    "after-commit:8",
    "away-after-change:1",
)


@pytest.mark.timeout(240)
async def test_a_killed_bot_neither_repeats_a_step_nor_loses_a_request() -> None:
    async with prepared_declared(seed_=1, between=False) as proof:
        for number, fault in enumerate(FAULTS, start=1):
            await proof.round(number, fault)
        await proof.end()
    assert proof.tally.complaints == []
    assert proof.tally.kills >= len(FAULTS) - 1
    assert proof.tally.unknown >= 3
    assert proof.tally.steps >= len(FAULTS)
