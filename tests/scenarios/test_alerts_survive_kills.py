"""A short form of the proof that no notification is lost or sent twice; `make soak` runs the long one.

The long one also kills a bot between rounds.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.postgres import Postgres
from tests.soak.alerts import AlertTally, prepared_alerts


async def proven(faults: Sequence[str], postgres: Postgres | None, seed_: int) -> AlertTally:
    async with prepared_alerts(postgres=postgres, seed_=seed_, between=False) as proof:
        for number, fault in enumerate(faults, start=1):
            await proof.round(number, fault)
        await proof.end()
    return proof.tally


@pytest.mark.timeout(240)
async def test_a_killed_bot_neither_loses_nor_repeats_a_notification() -> None:
    faults = ("after-commit:4", "after-post:1", "before-post:2", "before-edit:1")
    tally = await proven(faults, None, 1)
    assert tally.complaints == []
    assert tally.kills >= len(faults)
    assert tally.notices >= 2 * len(faults)


@pytest.mark.timeout(240)
async def test_two_replicas_on_postgresql_send_each_notification_and_digest_once(postgres: Postgres) -> None:
    tally = await proven(("after-commit:5", "timed"), postgres, 2)
    assert tally.complaints == []
    assert tally.notices >= 4
