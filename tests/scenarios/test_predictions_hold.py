"""A card's prediction of the downtime holds, also where each restart takes a different time."""

from __future__ import annotations

from tests.soak.forecasts import prepared_forecasts


async def test_nine_of_ten_restarts_take_as_long_as_their_card_says() -> None:
    async with prepared_forecasts(seed_=3) as proof:
        for number in range(1, 9):
            await proof.round(number)
        await proof.end()
        assert proof.tally.holds, (str(proof.tally), proof.tally.complaints)
