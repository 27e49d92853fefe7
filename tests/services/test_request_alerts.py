"""A card says when the problem that its repair was asked for is gone, and can still be decided on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest_asyncio

from bot.domain.approvals import message_keys as cards
from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.reply import plain
from bot.domain.incidents import alerting, message_keys
from bot.domain.incidents.alerting import Incident
from tests.services.test_backgrounds import RULES, ends, fires, save
from tests.services.workbench import JONAS, MAYA, Bench, bench, opened
from tests.times import utc


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        yield bench(ledger)


async def meanwhile(one: Bench, repair: RepairRequest) -> list[str]:
    """What the card says of the alert, as it stands in Slack."""
    await one.deliver()
    posted = await one.ledger.delivery(cards.card(repair.id))
    assert posted is not None
    assert posted.posted is not None
    shown = utc(one.chat.shown[posted.posted.ts], one.clock.now())
    return [plain(fact.value) for fact in shown.facts if fact.label == "Meanwhile"]


async def test_a_card_says_that_the_only_open_alert_is_over_and_is_still_decided_on(one: Bench) -> None:
    incident = await fires(one)
    repair = await one.ask(MAYA)
    assert repair.beside == message_keys.incident(incident.id)
    assert await meanwhile(one, repair) == []
    await ends(one, incident)
    [said] = await meanwhile(one, repair)
    assert said.startswith("✅ sshd sends heartbeats again after ")
    _, after = await one.say(repair, Choice.APPROVE, JONAS)
    assert after.state is RequestState.EXECUTING
    await one.ended(repair)
    assert await meanwhile(one, repair) == []


async def test_a_problem_that_comes_back_is_no_longer_said_to_be_gone(one: Bench) -> None:
    incident = await fires(one)
    repair = await one.ask(MAYA)
    one.clock.pass_(minutes=1)
    away = alerting.decide(incident, None, RULES, one.clock.now())
    assert away is not None
    away = await save(one, away)
    [said] = await meanwhile(one, repair)
    assert said.startswith("🌤️ ")
    back = alerting.decide(away, incident.problem, RULES, one.clock.now())
    assert back is not None
    await save(one, back)
    assert await meanwhile(one, repair) == []


async def test_of_several_open_alerts_none_is_taken_for_the_reason(one: Bench) -> None:
    await fires(one)
    await fires(one, "cron")
    assert (await one.ask(MAYA)).beside == ""


async def test_an_alert_of_another_target_is_none_of_this_one(one: Bench) -> None:
    incident = await fires(one)
    await save(one, _moved(incident))
    assert (await one.ask(MAYA)).beside == ""


def _moved(incident: Incident) -> Incident:
    return replace(incident, problem=replace(incident.problem, target="another"))
