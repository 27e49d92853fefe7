"""A card says when the problem that its repair was asked for is gone, and can still be decided on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.domain.approvals import message_keys as cards
from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.reply import plain
from bot.domain.incidents import alerting, message_keys
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.sources.pod import POD_HEALTH
from bot.services.approvals import request_alerts
from tests.services.test_backgrounds import RULES, ends, fires, save
from tests.services.workbench import JONAS, MAYA, OPS, TARGET, Bench, bench, opened
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
    await save(one, replace(_moved(incident), id=incident.id))
    assert (await one.ask(MAYA)).beside == ""


def _moved(incident: Incident, job: str = "hidden-job") -> Incident:
    """The same of another target's job."""
    problem = replace(incident.problem, key=f"heartbeat:another:{job}", target="another", subject=job)
    return replace(incident, id=f"i-{job}", problem=problem)


async def test_an_approver_reads_nothing_of_another_target_s_incidents(one: Bench) -> None:
    incident = await fires(one)
    mine = await save(one, replace(incident, group="g-1"))
    repair = await one.ask(MAYA)
    hidden = await save(one, _moved(mine), another=OPS)
    await ends(one, mine)
    [said] = await meanwhile(one, repair)
    assert said.startswith("✅ sshd sends heartbeats again after "), (
        "its own problem is gone, whatever of the other"
    )
    await ends(one, hidden)
    assert await meanwhile(one, repair) == [said]


async def test_beside_another_target_s_alert_a_card_only_links_it(one: Bench) -> None:
    hidden = await save(one, _moved(await fires(one)), another=OPS)
    repair = replace(await one.ask(MAYA), beside=message_keys.incident(hidden.id))
    await ends(one, hidden)
    assert await request_alerts.meanwhile(one.ledger, repair, one.clock.now()) == ""


async def test_of_a_group_all_incidents_of_the_target_have_to_be_gone(one: Bench) -> None:
    first = await save(one, replace(await fires(one), group="g-1"))
    second = await save(one, replace(await fires(one, "cron"), group="g-1"))
    repair = await one.ask(MAYA)
    await ends(one, first)
    assert await meanwhile(one, repair) == []
    await ends(one, second)
    assert await meanwhile(one, repair) == ["✅ All 2 incidents are over: cron and sshd"]


@pytest.mark.parametrize("hold", [0, 60])
async def test_a_problem_that_fires_as_a_new_incident_is_no_longer_said_to_be_gone(one: Bench, hold: int) -> None:
    incident = await fires(one)
    repair = await one.ask(MAYA)
    await ends(one, incident)
    assert await meanwhile(one, repair)
    now = one.clock.now()
    problem = replace(incident.problem, since=now, hold=timedelta(minutes=hold))
    again = alerting.decide(await one.ledger.incident(incident.id), problem, RULES, now)
    assert again is not None
    assert (again.id != incident.id, again.notified) == (True, not hold)
    await save(one, again)
    assert await meanwhile(one, repair) == []


async def test_nothing_is_said_to_be_well_again_while_the_pod_is_not(one: Bench) -> None:
    restarts = await fires(one, TARGET.name, kind="pod", source="restarts")
    repair = await one.ask(MAYA)
    await ends(one, restarts)
    [said] = await meanwhile(one, repair)
    assert said.startswith(f"✅ {TARGET.name} has settled down after ")
    problem = replace(restarts.problem, key=POD_HEALTH.key(TARGET.name), since=one.clock.now())
    made = alerting.decide(None, problem, RULES, one.clock.now())
    assert made is not None
    gone = await save(one, made)
    assert await meanwhile(one, repair) == []
    await ends(one, gone)
    assert await meanwhile(one, repair) == [said]


async def test_a_new_incident_may_join_a_group_that_was_over(one: Bench) -> None:
    first = await save(one, replace(await fires(one), group="g-1"))
    repair = await one.ask(MAYA)
    one.clock.pass_(minutes=1)
    away = alerting.decide(first, None, RULES, one.clock.now())
    assert away is not None
    await save(one, away)
    assert await meanwhile(one, repair) == ["🌤️ sshd sends heartbeats again, resolved if it stays so"]
    await save(one, replace(await fires(one, "cron"), group="g-1"))
    assert await meanwhile(one, repair) == []


async def test_of_more_than_a_hundred_alerts_all_count(one: Bench) -> None:
    first = await fires(one)
    second = await fires(one, "cron")
    one.clock.pass_(minutes=5)
    others = [replace(_moved(first, f"job-{n}"), opened_at=one.clock.now()) for n in range(99)]
    async with one.ledger.writing() as tx:
        await tx.save_incidents(others)
    assert (await one.ask(MAYA)).beside == "", f"{second.id} is open as well, though 99 newer ones are"
