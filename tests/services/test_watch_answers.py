"""Acknowledging and snoozing keep an alert quiet for as long as they say, and not longer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.services.watchbench import AWAY, Watch, on, stale, watch, watched

HALF_HOUR = timedelta(minutes=30)


async def answered(one: Watch, how: str) -> Watch:
    """Alpha is stale, acknowledged or snoozed for half an hour, and the bot was restarted after that."""
    made = await stale(watch(one.ledger, like=one, ack_for="30m", keep_firing="1m"))
    [incident] = await made.ledger.incidents(live=True)
    if how == "acknowledged":
        await made.incidents.acknowledge(incident.id, "U1")
    else:
        await made.incidents.snooze(incident.id, "U1", made.clock.time + HALF_HOUR)
    await made.deliver()
    return watch(made.ledger, like=made)


SPEAKS = {
    "acknowledged": (
        "👀",
        "⏰ Still firing, overdue for 1 h 2 min (its acknowledgement has expired): alpha: no heartbeat",
    ),
    "snoozed": ("💤", "⏰ The snooze is over, still firing, overdue for 1 h 2 min: alpha: no heartbeat"),
}


async def blind_for_an_hour(one: Watch) -> None:
    """The source is unavailable, and then answers again; the first answer isn't used yet."""
    one.source.error = AWAY
    for _ in range(60):
        await one.look(1)
    one.source.error = None


@pytest.mark.parametrize("how", SPEAKS)
async def test_answer_that_ends_without_data_is_reported_once_there_is_data(tmp_path: Path, how: str) -> None:
    async with watched(tmp_path) as world:
        one = await answered(world, how)
        await blind_for_an_hour(one)
        mark, said = SPEAKS[how]
        assert [line[0] for line in one.thread()] == [mark], "of what can't be seen nothing is said"
        for _ in range(10):
            await on(one, 0.5)
        [_, *after] = one.thread()
        [spoken] = [line for line in after if "can be reached again" not in line]
        assert spoken.startswith(said), spoken
        assert one.first_lines()[0].startswith("🔴 CRITICAL alpha")


@pytest.mark.parametrize("how", SPEAKS)
async def test_answer_that_ends_without_data_is_not_reported_if_resolved(tmp_path: Path, how: str) -> None:
    async with watched(tmp_path) as world:
        one = await answered(world, how)
        await blind_for_an_hour(one)
        for _ in range(10):
            await on(one, 0.5, "alpha", "beta")
        assert not [line for line in one.thread() if "⏰" in line]
        assert one.first_lines()[0].startswith("✅ alpha sends heartbeats again after being overdue for 1 h 2 min")
