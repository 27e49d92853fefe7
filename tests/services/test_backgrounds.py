"""An alert names what changed shortly before it, and how often the problem was there and what ended it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.core.change import BOT, IMAGE, NODE, RESTART, SECRET, SETTINGS, Change
from bot.domain.core.reply import Reply, plain
from bot.domain.incidents import alerting, background, incident_card
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.pod import POD_HEALTH
from bot.errors import Transient
from bot.ports.ledger import Ledger
from bot.services.incidents import backgrounds
from bot.services.incidents.incident_messages import IncidentMessages
from bot.services.incidents.incident_service import IncidentService
from tests.services.watchbench import Watch, on, watched
from tests.services.workbench import JONAS, MAYA, OPS, TARGET, Bench, bench, opened
from tests.times import utc

RULES = AlertRules()
MINUTE = timedelta(minutes=1)


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        yield bench(ledger)


async def add(
    one: Bench, kind: str, before: str, after: str, *, ago: float = 0, target: str = TARGET.name
) -> None:
    at = one.clock.now() - ago * MINUTE
    async with one.ledger.writing() as tx:
        await tx.add_changes([Change(target, kind, "", before, after, at, at - MINUTE)])


async def fires(
    one: Bench,
    subject: str = "sshd",
    ledger: Any = None,
    kind: str = "heartbeat",
    source: str = "",
    **channels: str,
) -> Incident:
    """An incident of that subject fires."""
    now = one.clock.now()
    key = f"{source or kind}:{TARGET.name}:{subject}"
    problem = Problem(key, kind, TARGET.name, subject, "is late", "critical", now)
    made = alerting.decide(None, problem, RULES, now)
    assert made is not None
    return await save(one, made, ledger, **channels)


async def save(one: Bench, incident: Incident, ledger: Any = None, **channels: str) -> Incident:
    service = IncidentService(ledger or one.ledger, one.clock, RULES, {TARGET.name: OPS, **channels})
    before = await one.ledger.incident(incident.id)
    async with one.ledger.writing() as tx:
        [saved] = await service.save(tx, {before.key: before} if before else {}, [incident], one.clock.now())
    return saved


async def ends(one: Bench, incident: Incident) -> None:
    for _ in range(2):
        one.clock.pass_(minutes=2)
        found = await one.ledger.incident(incident.id)
        after = alerting.decide(found, None, RULES, one.clock.now())
        assert after is not None
        await save(one, after)


def facts(one: Bench, incident: Incident) -> list[tuple[str, str]]:
    reply = incident_card.message(incident, one.clock.now())
    facts = utc(reply, one.clock.now()).facts
    return [(f.label, plain(f.value)) for f in facts if f.label in ("Changed", "Seen before")]


async def test_the_newest_three_changes_of_the_half_hour_are_named(one: Bench) -> None:
    for ago in (31, 29, 20, 10, 5):
        await add(one, NODE, f"n{ago}", "n", ago=ago)
    await add(one, NODE, "other", "n", target="another")
    incident = await fires(one)
    assert facts(one, incident) == [
        ("Changed", "node: n5 → n, 08:55 UTC · change 5"),
        ("Changed", "node: n10 → n, 08:50 UTC · change 4"),
        ("Changed", "node: n20 → n, 08:40 UTC · change 3"),
        ("Changed", "1 more, see `/agentpod changes`"),
    ]
    assert await one.ledger.incident(incident.id) == incident, "it is the same after a restart of the bot"


async def test_keys_of_a_secret_are_not_named_to_all_and_settings_only_where_there_is_one_target(
    one: Bench,
) -> None:
    await add(one, SECRET, "", "value of TOKEN changed")
    await add(one, SETTINGS, "", "value of alerts.for changed", target=BOT)
    assert [line.partition(",")[0] for _, line in facts(one, await fires(one))] == [
        "settings of the bot: value of alerts.for changed",
        "Secret: what it holds changed",
    ]
    assert "settings" not in str(facts(one, await fires(one, "cron", another="C07OTHER01")))


async def test_a_restart_precedes_the_alert_of_a_job_but_is_what_one_of_the_pod_is_about(one: Bench) -> None:
    await add(one, RESTART, "", "restarted (Error, exit code 1)")
    assert [line.partition(",")[0] for _, line in facts(one, await fires(one))] == ["containers: restarted (Error"]
    of_pod = await fires(one, "pod", kind=POD_HEALTH.stored)
    assert facts(one, of_pod) == []
    assert await backgrounds.changed_before(one.ledger, [of_pod], alone=True) == []


async def test_many_restarts_leave_room_for_what_caused_them(one: Bench) -> None:
    await add(one, IMAGE, "i:1", "i:2", ago=29)
    for n in range(backgrounds.MOST + 1):
        await add(one, RESTART, "", f"restarted {n} times", ago=20 - n / 10)
    incident = await fires(one)
    assert facts(one, incident) == [
        ("Changed", "containers: restarted 100 times, 08:50 UTC · change 102"),
        ("Changed", "containers: restarted 99 times, 08:49 UTC · change 101"),
        ("Changed", "image: 1 → 2, 08:31 UTC · change 1"),
        ("Changed", "98 more, see `/agentpod changes`"),
    ]
    of_group = await backgrounds.changed_before(one.ledger, [incident], alone=True)
    assert [change.kind for change in background.named(of_group)[0]] == [RESTART, RESTART, IMAGE]
    of_pod = await fires(one, "pod", kind=POD_HEALTH.stored)
    assert [change.kind for change in await backgrounds.changed_before(one.ledger, [of_pod], alone=True)] == [
        IMAGE
    ]


async def test_nothing_before_it_adds_nothing(one: Bench) -> None:
    incident = await fires(one)
    assert (incident.background, facts(one, incident)) == (None, [])


async def test_how_often_and_that_it_ended_by_itself(one: Bench) -> None:
    first = await fires(one)
    await ends(one, first)
    one.clock.pass_(days=3)
    again = await fires(one)
    await ends(one, again)
    one.clock.pass_(days=1)
    third = await fires(one)
    [(label, text)] = facts(one, third)
    assert label == "Seen before"
    assert text == f"2 times in the last 30 days. {again.id} ended Fri 27 Nov, 09:06 UTC, by itself."
    one.clock.pass_(days=31)
    await ends(one, third)
    one.clock.pass_(days=31)
    assert facts(one, await fires(one)) == []


async def test_the_repair_that_was_made_before_its_end_is_named(one: Bench) -> None:
    first = await fires(one)
    one.clock.pass_(minutes=1)
    repair = await one.ask(MAYA)
    await one.say(repair, Choice.APPROVE, JONAS)
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED
    await ends(one, first)
    one.clock.pass_(days=1)
    [(_, text)] = facts(one, await fires(one))
    assert text.startswith(f"1 time in the last 30 days. {first.id} ended ")
    assert text.endswith(", after restart.")
    over = await one.ledger.incident(first.id)
    assert over is not None
    assert await backgrounds.ended_after(one.ledger, over, one.clock.now()) == f"restart ({repair.id})"


async def test_a_repair_that_can_t_affect_the_problem_did_not_end_it(one: Bench) -> None:
    first = await fires(one, "disk", kind="pod", source="storage")
    repair = await one.ask(MAYA)
    await one.say(repair, Choice.APPROVE, JONAS)
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED
    await ends(one, first)
    over = await one.ledger.incident(first.id)
    assert over is not None
    assert await backgrounds.ended_after(one.ledger, over, one.clock.now()) == ""
    [(_, text)] = facts(one, await fires(one, "disk", kind="pod", source="storage"))
    assert text.endswith(", by itself.")


async def test_one_that_was_closed_did_not_recover(one: Bench) -> None:
    first = await fires(one)
    await save(one, alerting.closed(first, "its job is gone", one.clock.now()))
    one.clock.pass_(minutes=1)
    [(_, text)] = facts(one, await fires(one))
    assert text.startswith(f"1 time in the last 30 days. {first.id} ended ")
    assert text.endswith(", closed: its job is gone.")


async def test_it_is_read_once_and_not_shown_once_it_is_over(one: Bench) -> None:
    await add(one, NODE, "a", "b")
    incident = await fires(one)
    await add(one, NODE, "b", "c")
    worse = replace(incident, problem=replace(incident.problem, summary="is later still"))
    assert (await save(one, worse)).background == incident.background
    await ends(one, worse)
    over = await one.ledger.incident(incident.id)
    assert over is not None
    assert facts(one, over) == []


class Broken:
    """A ledger that saves, but can't read what preceded an incident."""

    def __init__(self, ledger: Ledger, error: Exception | None) -> None:
        self._ledger, self._error = ledger, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def changes(self, *_: Any, **__: Any) -> Sequence[Change]:
        if self._error is not None:
            raise self._error
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


@pytest.mark.parametrize("error", [Transient("The database is busy."), ZeroDivisionError("a defect"), None])
async def test_a_ledger_that_can_t_say_costs_the_lines_and_not_the_alert(
    one: Bench, error: Exception | None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backgrounds, "PATIENCE", 0.05)
    caplog.set_level(logging.WARNING, "agentpod.alerts")
    await add(one, NODE, "a", "b")
    incident = await fires(one, ledger=Broken(one.ledger, error))
    assert (await one.ledger.incident(incident.id)) == incident
    assert incident.background is None
    assert "what preceded an incident was not read" in caplog.text


async def test_a_group_says_once_what_changed(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        await add(one, IMAGE, "i:1", "i:2", ago=5)
        now = one.clock.now()
        problems = [
            Problem(f"heartbeat:{TARGET.name}:j{n}", "heartbeat", TARGET.name, f"j{n}", "is late", "critical", now)
            for n in range(12)
        ]
        made = alerting.step({}, problems, RULES, now)
        service = IncidentService(ledger, one.clock, RULES, {TARGET.name: OPS})
        async with ledger.writing() as tx:
            saved = await service.save(tx, {}, made, now)
        assert {i.background for i in saved} == {None}
        messages = IncidentMessages(ledger, one.clock, RULES)
        [kind] = [kind for kind in messages.kinds(OPS) if kind.name == "group"]
        [pending] = [m for m in await ledger.take(now, MINUTE) if m.key.startswith("group:")]
        reply = cast(Reply, await kind.render(pending))
        assert [plain(f.value) for f in utc(reply, now).facts] == ["image: 1 → 2, 08:55 UTC · change 1"]
        assert not any(f.label == "Changed" for i in saved for f in incident_card.message(i, now).facts)


async def test_an_alert_in_slack_has_them_after_what_to_do(tmp_path: Path) -> None:
    async with watched(tmp_path) as of:
        await changed(of, of.clock.now())
        await on(of, 11)
        shown = of.chat.shown["1.0"]
        assert shown.headline.startswith("🔴 CRITICAL alpha: no heartbeat since")
        assert shown.facts[-1].label == "Changed"


async def changed(of: Watch, at: datetime) -> None:
    async with of.ledger.writing() as tx:
        await tx.add_changes([Change(of.target.name, NODE, "", "a", "b", at, at)])
