"""``digest``: which day is shown, and which is refused."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date

import pytest

from bot.domain.core.reply import Reply
from bot.domain.digest.checks import ChecksRead
from bot.errors import Permanent, UsageError
from bot.runbook.context import Context
from tests.commands.fakes import World

TODAY = date(2026, 11, 23)


@dataclass
class Digests:
    """A digest service that records the day it is asked for."""

    asked: list[date] = field(default_factory=list)
    read: ChecksRead | None = None

    async def digest(self, day: date, read: ChecksRead | None = None) -> Reply:
        self.asked.append(day)
        self.read = read
        return Reply("a day")


@dataclass
class Asked:
    """A world with digests in a time zone."""

    world: World
    zone: str = "UTC"
    digests: Digests = field(default_factory=Digests)

    async def day(self, line: str) -> date:
        """The day that is shown."""
        await self.world.run(line, self._with_digests)
        return self.digests.asked[-1]

    def _with_digests(self, ctx: Context) -> Context:
        return replace(ctx, digests=self.digests, timezone=self.zone)


@pytest.mark.parametrize(
    ("line", "day"),
    [
        ("digest", date(2026, 11, 22)),
        ("digest yesterday", date(2026, 11, 22)),
        ("digest Today", TODAY),
        ("digest 2026-11-23", TODAY),
        ("digest 2026-11-10", date(2026, 11, 10)),
    ],
)
async def test_a_day_is_named_in_words_or_as_a_date(world: World, line: str, day: date) -> None:
    assert await Asked(world).day(line) == day


async def test_the_checks_that_are_not_ok_now_are_in_it(world: World) -> None:
    asked = Asked(world)
    await asked.day("digest")
    assert asked.digests.read is not None
    assert asked.digests.read.not_ok == ()
    world.cluster.services_answer = []
    await asked.day("digest")
    assert "services" in [one.check for one in asked.digests.read.not_ok]


async def test_yesterday_is_in_the_digest_s_time_zone(world: World) -> None:
    assert await Asked(world, "Pacific/Kiritimati").day("digest") == TODAY, "there it is the 24th already"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("digest tomorrow", "'tomorrow' is no day: say yesterday, today or a date such as 2026-11-22."),
        ("digest 2026-11-31", "is no day"),
        ("digest 2026-11-24", "2026-11-24 is in the future."),
        ("digest 2026-11-09", "What happened on 2026-11-09 is not kept any more: at most 13 days back."),
    ],
)
async def test_a_day_that_can_not_be_shown_is_refused_with_the_reason(world: World, line: str, why: str) -> None:
    with pytest.raises(UsageError) as raised:
        await Asked(world).day(line)
    assert why in raised.value.message


async def test_without_a_ledger_there_is_no_digest(world: World) -> None:
    with pytest.raises(Permanent, match="no ledger") as raised:
        await world.run("digest")
    assert raised.value.remedy == "Set AGENTPOD_LEDGER__URL."
