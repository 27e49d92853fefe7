"""A short form of the proof that a copy of keys is whole and its outcome true; `make soak` runs the long one."""

from __future__ import annotations

import pytest

from tests.soak.keys import prepared_keys

FAULTS = (
    "after-commit:3",  # approved and claimed
    "before-change:1",
    "after-change:1",  # the file is copied beside the pod's own
    "before-change:2",
    "after-change:2",  # it is renamed, and nobody knows
    "after-commit:4",
    "away-after-change:2",
)


@pytest.mark.timeout(300)
async def test_a_killed_bot_leaves_a_whole_file_and_tells_the_truth() -> None:
    async with prepared_keys(seed_=1, between=False) as proof:
        for number, fault in enumerate(FAULTS, start=1):
            await proof.round(number, fault)
        await proof.end()
    assert proof.tally.complaints == []
    assert proof.tally.kills >= len(FAULTS) - 2
