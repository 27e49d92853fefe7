"""A short form of the proof that a rotation changes the Secret once; `make soak` runs the long one."""

from __future__ import annotations

import pytest

from tests.soak.configs import prepared_configs

FAULTS = ("before-change:1", "after-change:1", "away-after-change:1", "away-before-change:1", "before-look:2")


@pytest.mark.timeout(300)
async def test_a_killed_bot_leaves_a_whole_secret_and_tells_the_truth() -> None:
    async with prepared_configs(seed_=1, between=False) as proof:
        for number, fault in enumerate(FAULTS, start=1):
            await proof.round(number, fault)
        await proof.end()
    assert proof.tally.complaints == []
    assert proof.tally.kills >= len(FAULTS) - 2
