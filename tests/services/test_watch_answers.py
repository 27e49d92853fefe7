"""What people answered to an alert, over time: it keeps the bot quiet for as long as was said, and not longer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.services.watchbench import AWAY, Watch, on, stale, watch, watched

HALF_HOUR = timedelta(minutes=30)


async def answered(one: Watch, how: str) -> Watch:
    """Alpha is stale, and somebody acknowledged or snoozed it for half an hour; the bot starts anew after that."""
    made = await stale(watch(one.ledger, like=one, ack_for="30m", keep_firing="1m"))
    [incident] = await made.ledger.incidents(live=True)
    if how == "acknowledged":
        await made.incidents.acknowledge(incident.id, "U1")
    else:
        await made.incidents.snooze(incident.id, "U1", made.clock.time + HALF_HOUR)
    await made.deliver()
    return watch(made.ledger, like=made)


SPEAKS = {
    "acknowledged": ("👀", "⏰ still so, for 1 h 2 min now (acknowledged long ago, and still so): no heartbeat"),
    "snoozed": ("💤", "⏰ the snooze is over; still so, for 1 h 2 min now: no heartbeat"),
}


async def blind_for_an_hour(one: Watch) -> None:
    """Nothing can be read; then it can, and the first answer is not believed yet."""
    one.source.error = AWAY
    for _ in range(60):
        await one.look(1)
    one.source.error = None


@pytest.mark.parametrize("how", SPEAKS)
async def test_what_ends_while_the_bot_is_blind_is_said_once_when_it_sees_again(tmp_path: Path, how: str) -> None:
    async with watched(tmp_path) as world:
        one = await answered(world, how)
        await blind_for_an_hour(one)
        mark, said = SPEAKS[how]
        assert [line[0] for line in one.thread()] == [mark], "of what can't be seen nothing is said"
        for _ in range(10):
            await on(one, 0.5)
        [_, *after] = one.thread()
        [spoken] = [line for line in after if "can be read again" not in line]
        assert spoken.startswith(said), spoken
        assert one.first_lines()[0].startswith("🔴 CRITICAL alpha")


@pytest.mark.parametrize("how", SPEAKS)
async def test_what_ends_while_the_bot_is_blind_is_not_said_of_what_is_well_by_then(
    tmp_path: Path, how: str
) -> None:
    async with watched(tmp_path) as world:
        one = await answered(world, how)
        await blind_for_an_hour(one)
        for _ in range(10):
            await on(one, 0.5, "alpha", "beta")
        assert not [line for line in one.thread() if "⏰" in line]
        assert one.first_lines()[0].startswith("✅ alpha sends heartbeats again after 1 h 2 min")
