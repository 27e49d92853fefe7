"""What a card predicts comes true: its downtime, and that a pod does not come back."""

from __future__ import annotations

import pytest

from sandbox.slack import seed
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World, words
from tests.soak.forecasts import prepared_forecasts


async def test_nine_of_ten_restarts_take_as_long_as_their_card_says() -> None:
    async with prepared_forecasts(seed_=3) as proof:
        for number in range(1, 9):
            await proof.round(number)
        await proof.end()
        assert proof.tally.holds, (str(proof.tally), proof.tally.complaints)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_restart_at_a_wrong_crontab_ends_as_its_card_predicts(world: World) -> None:
    await world.break_("pod-wrong-crontab")
    repair = await asked(world, 'restart --reason "new job"')
    card = await repair.shows("Will stop every cron job: line 6 of the crontab is wrong")
    assert "until the cause above is fixed" in words([card])
    await repair.click(seed.JONAS)
    await repair.shows("failed: kali keeps crashing (exit 1, 5 restarts)")
    cause = "supercronic refuses a line of the crontab, so kali ends"
    assert cause in (await world.ask("diagnose")).first_line
    await world.workspace.panel.heal()
    assert "Healthy" in (await world.healthy()).first_line
