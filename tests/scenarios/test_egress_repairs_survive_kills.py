"""A short form of the proof that an egress repair replaces each thing once; `make soak` runs the long one.

So it does for the creation of a policy that a repair left missing.
"""

from __future__ import annotations

import pytest

from tests.soak.egress import EgressProof, prepared_egress

FAULTS = (
    "after-change:1",  # the Cilium agent is deleted
    "after-change:2",  # the policy is deleted, and not created yet
    "after-change:3",  # it is created
    "after-change:4",  # the pod is deleted
    "away-after-change:2",
)


CREATIONS = (
    "before-change:1",
    "after-change:1",  # the policy is created
    "away-after-change:1",
)


@pytest.mark.timeout(300)
async def test_a_killed_bot_leaves_a_policy_and_tells_the_truth() -> None:
    async with prepared_egress(seed_=1, between=False) as proof:
        assert isinstance(proof, EgressProof)
        for number, fault in enumerate(FAULTS, start=1):
            await proof.repair(number, fault)
        await proof.end()
    assert proof.tally.complaints == []
    assert proof.tally.kills >= len(FAULTS) - 2


@pytest.mark.timeout(300)
async def test_a_killed_bot_creates_a_missing_policy_once() -> None:
    async with prepared_egress(seed_=2, between=False) as proof:
        assert isinstance(proof, EgressProof)
        for number, fault in enumerate(CREATIONS, start=1):
            await proof.creation(number, fault)
        await proof.end()
    assert proof.tally.complaints == []
    assert proof.tally.kills >= 1
