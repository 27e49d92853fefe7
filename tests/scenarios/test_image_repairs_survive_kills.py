"""A short form of the proof that another image is started once; `make soak` runs the long one."""

from __future__ import annotations

import pytest

from tests.soak.images import prepared_images

FAULTS = (
    "after-commit:3",  # approved and claimed
    "before-look:2",
    "before-change:1",
    "after-change:1",  # the patch was sent, and that is not recorded
    "after-commit:5",
    "away-after-change:1",
    "timed:1",
)


@pytest.mark.timeout(300)
async def test_a_killed_bot_starts_an_image_once_and_tells_the_truth() -> None:
    async with prepared_images(seed_=1, between=False) as proof:
        for number, fault in enumerate(FAULTS, start=1):
            await proof.round(number, fault)
        await proof.end()
    assert proof.tally.complaints == []
    assert proof.tally.kills >= len(FAULTS) - 3
    assert proof.tally.steps >= len(FAULTS) - 1
