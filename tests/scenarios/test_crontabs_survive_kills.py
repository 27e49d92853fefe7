"""A short form of the proof that crontabs and scripts are handled once; `make soak` runs the long one."""

from __future__ import annotations

import pytest

from tests.soak.crontabs import prepared_crontabs

FAULTS = (
    "after-change:5",  # the crontab was renamed, and the version before is not kept yet
    "after-change:1",  # the script was run, and its end is not recorded
    "before-change:4",  # everything is prepared
    "after-commit:4",  # the script is about to be sent
    "after-change:4",  # it was renamed, and no answer came
    "before-change:1",
    "away-after-change:4",
)


@pytest.mark.timeout(240)
async def test_a_killed_bot_changes_a_crontab_once_and_runs_a_script_at_most_once() -> None:
    async with prepared_crontabs(seed_=1, between=False) as proof:
        for number, fault in enumerate(FAULTS, start=1):
            await proof.round(number, fault)
        await proof.end()
    assert proof.tally.complaints == []
    assert proof.tally.kills >= len(FAULTS) - 2
    assert proof.tally.unknown >= 1
    assert proof.tally.steps >= len(FAULTS) - 3
