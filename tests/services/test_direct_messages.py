"""Alerts by direct message: to whom, when, up to date to their end, and summed up after quiet hours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.outbox.preferences import Preferences
from bot.domain.rbac.membership import Membership
from bot.errors import Transient
from bot.services.outbox.preferences import PreferenceRetention, reset, save
from tests.services.watchbench import CRITICAL, Watch, on, policies, stale, watch, watched
from tests.services.workbench import JONAS, MAYA, OPS, SAM, opened
from tests.times import utc

ALL = ("critical", "warning")
DAY, NIGHT = "00:00-06:00", "08:00-17:00"
"""Quiet hours that the bench's nine o'clock (UTC) is outside of, and in."""


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Watch]:
    async with watched(tmp_path) as made:
        yield made


async def prefer(one: Watch, user: str = MAYA, alerts: tuple[str, ...] = ALL, **more: object) -> None:
    await save(one.ledger, one.clock, Preferences(user, alerts, **more))  # type: ignore[arg-type]


def direct(one: Watch) -> dict[str, list[str]]:
    """Each person's direct messages, as they are now; one that quiet hours held back is marked."""
    found: dict[str, list[str]] = {}
    for number, (place, _, _) in enumerate(one.chat.said, start=1):
        if place != OPS:
            shown = one.chat.shown[f"{number}.0"]
            held = "held back: " if "Your quiet hours held this alert back." in shown.notes else ""
            found.setdefault(place, []).append(held + utc(shown.headline, one.clock.now()))
    return found


async def alerted(one: Watch) -> None:
    for _ in range(11):
        await on(one, 1)


async def test_an_alert_comes_once_and_follows_the_incident_to_its_end(one: Watch) -> None:
    await prefer(one)
    await alerted(one)
    assert direct(one) == {MAYA: [CRITICAL]}
    [incident] = await one.ledger.incidents(live=True)
    await one.incidents.acknowledge(incident.id, JONAS)
    await one.deliver()
    assert direct(one) == {MAYA: [CRITICAL.replace("🔴", "👀")]}
    await on(one, 1, "alpha", "beta")
    await on(one, 2, "alpha", "beta")
    assert direct(one) == {MAYA: ["✅ alpha sends heartbeats again after being overdue for 2 min"]}
    assert one.first_lines()[0] == direct(one)[MAYA][0]


async def test_it_calls_nobody_else(one: Watch) -> None:
    two = watch(one.ledger, like=one, mention=["S07ONCALL01"])
    await prefer(two)
    await alerted(two)
    [said] = [reply for place, _, reply in two.chat.said if place == MAYA]
    assert said.notify == ()
    assert [b.label for b in said.buttons] == [b.label for p, _, r in two.chat.said if p == OPS for b in r.buttons]


async def test_only_the_severities_that_somebody_wants(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = watch(ledger, jobs=(*policies("alpha"), *policies("beta", severity="warning", stale_after="30m")))
        for job in ("alpha", "beta"):
            one.source.push(job)
        await prefer(one, MAYA, ("critical",))
        await prefer(one, JONAS, ("warning",))
        await one.look()
        await one.look(12)
        await one.look(20)
        assert {who: [line.partition(":")[0] for line in lines] for who, lines in direct(one).items()} == {
            MAYA: ["🔴 CRITICAL alpha"],
            JONAS: ["⚠️ WARNING beta"],
        }


async def test_who_may_not_see_the_incident_gets_none_and_who_lost_the_role_no_update(one: Watch) -> None:
    await prefer(one, SAM)
    await prefer(one)
    await alerted(one)
    assert direct(one) == {MAYA: [CRITICAL]}
    one.people.access = type(one.people.access)()
    two = watch(one.ledger, like=one)
    await on(two, 1, "alpha", "beta")
    await on(two, 2, "alpha", "beta")
    assert direct(two) == {MAYA: [CRITICAL]}


async def test_while_it_is_not_known_who_they_are_it_waits(one: Watch) -> None:
    await prefer(one)
    one.people.error = Transient("Slack is away.")
    await alerted(one)
    assert direct(one) == {}
    one.people.error = None
    await on(one, 1)
    assert direct(one) == {MAYA: [CRITICAL]}


async def test_a_membership_that_can_not_be_read_drops_nothing(one: Watch) -> None:
    await prefer(one, SAM)
    one.people.memberships[SAM] = Membership.UNKNOWN
    await alerted(one)
    assert await one.ledger.waiting() == 1
    one.people.memberships[SAM] = Membership.MEMBER
    await on(one, 2)
    assert (direct(one), await one.ledger.waiting()) == ({}, 0)


async def test_of_many_at_once_there_is_one_message(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        jobs = tuple(f"job-{n}" for n in range(12))
        one = watch(ledger, jobs=policies(*jobs))
        for job in jobs:
            one.source.push(job)
        await one.look()
        await prefer(one)
        await one.look(12)
        [line] = direct(one)[MAYA]
        assert line.startswith("🔴 CRITICAL 12 incidents at once")
        for job in jobs:
            one.source.push(job)
        await one.look(1)
        for job in jobs:
            one.source.push(job)
        await one.look(2)
        [line] = direct(one)[MAYA]
        assert line.startswith("✅ All 12 incidents are over")


async def test_quiet_hours_end_with_one_summary(one: Watch) -> None:
    await prefer(one, quiet=NIGHT)
    await alerted(one)
    await on(one, 60, "beta")
    assert direct(one) == {}
    await on(one, 60, "alpha", "beta")
    await on(one, 2, "alpha", "beta")
    one.source.fail("beta")
    await one.look(1)
    one.clock.pass_(hours=5, minutes=50)
    await one.deliver()
    assert one.clock.time.hour == 17
    assert direct(one) == {MAYA: ["🔴 Your quiet hours held back 2 alerts: 1 still firing"]}
    [said] = [reply for place, _, reply in one.chat.said if place == MAYA]
    [body] = said.body
    assert "🔴 CRITICAL beta" in str(body)
    assert "✅ alpha sends heartbeats again" in str(body)
    await on(one, 1, "alpha", "beta")
    await on(one, 2, "alpha", "beta")
    assert direct(one) == {MAYA: ["✅ Your quiet hours held back 2 alerts: all are over"]}


async def test_what_fired_before_quiet_hours_were_set_is_not_summed_up(one: Watch) -> None:
    await alerted(one)
    await prefer(one, quiet=NIGHT)
    one.source.fail("beta")
    await one.look(1)
    await prefer(one, quiet=NIGHT, wake=True)  # no change that would forget what is held back
    await prefer(one, quiet=NIGHT)
    one.clock.pass_(hours=9)
    await one.deliver()
    assert direct(one) == {MAYA: ["held back: 🔴 CRITICAL beta: its last push failed"]}


async def test_a_summary_is_sent_once_by_a_successor_of_a_dead_bot(tmp_path: Path) -> None:
    async with watched(tmp_path) as one:
        await prefer(one, quiet=NIGHT)
        await alerted(one)
    async with opened(tmp_path) as ledger:
        two = watch(ledger, like=one)
        two.clock.pass_(hours=9)
        await two.deliver()
        await watch(ledger, like=one).deliver()
        assert direct(two) == {MAYA: ["held back: 🔴 CRITICAL alpha: no heartbeat since 09:00 UTC"]}


async def test_critical_alerts_break_through_on_demand_and_are_not_summed_up(one: Watch) -> None:
    await prefer(one, quiet=NIGHT, wake=True)
    await alerted(one)
    assert direct(one) == {MAYA: [CRITICAL]}
    one.clock.pass_(hours=9)
    await one.deliver()
    assert direct(one) == {MAYA: [CRITICAL]}


async def test_outside_of_quiet_hours_an_alert_comes_at_once(one: Watch) -> None:
    await prefer(one, quiet=DAY)
    await alerted(one)
    assert direct(one) == {MAYA: [CRITICAL]}


@pytest.mark.parametrize("quiet", [NIGHT, ""])
async def test_who_switches_alerts_off_before_they_are_sent_gets_none(one: Watch, quiet: str) -> None:
    await prefer(one, quiet=quiet)
    one.people.error = Transient("Slack is away.")
    await alerted(one)
    assert await one.ledger.waiting() == 1
    await reset(one.ledger, one.clock, MAYA)
    one.people.error = None
    one.clock.pass_(hours=9)
    await one.deliver()
    assert direct(one) == {}


async def test_a_deactivated_persons_preferences_are_deleted_with_a_record(one: Watch) -> None:
    await prefer(one)
    await prefer(one, JONAS, ("warning",))
    one.people.memberships[MAYA] = Membership.GONE
    await alerted(one)
    assert direct(one) == {}
    one.people.memberships[JONAS] = Membership.GONE
    assert [p.user for p in await one.ledger.preferences()] == [JONAS]
    retention = PreferenceRetention(one.ledger, one.clock, one.people)
    one.people.error = Transient("Slack is away.")
    await retention.drop()
    assert len(await one.ledger.preferences()) == 1
    one.people.error = None
    await retention.drop()
    assert await one.ledger.preferences() == []
    said = [(r.actor, r.subject, r.data["what"]) async for r in one.ledger.records() if r.kind == "preferences"]
    assert said == [
        (MAYA, MAYA, "changed"),
        (JONAS, JONAS, "changed"),
        ("agentpod", MAYA, "reset"),
        ("agentpod", JONAS, "reset"),
    ]


async def test_a_change_is_recorded_and_none_where_nothing_changed(one: Watch) -> None:
    await prefer(one, quiet=NIGHT)
    await prefer(one, quiet=NIGHT)
    assert await reset(one.ledger, one.clock, MAYA)
    assert not await reset(one.ledger, one.clock, MAYA)
    records = [r async for r in one.ledger.records() if r.kind == "preferences"]
    assert [r.data["what"] for r in records] == ["changed", "reset"]
    assert records[0].data["quiet"] == NIGHT


async def test_nobody_without_preferences_gets_anything(one: Watch) -> None:
    await prefer(one, MAYA, ())
    await stale(one)
    assert direct(one) == {}
