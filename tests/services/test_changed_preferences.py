"""What quiet hours hold back follows a change of the preferences, and what was sent is edited to its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.problem import Reason
from bot.services.outbox.preferences import reset
from tests.services.test_direct_messages import ALL, alerted, direct, prefer
from tests.services.watchbench import CRITICAL, Watch, on, policies, watch, watched
from tests.services.workbench import MAYA, opened

HELD = {MAYA: ["held back: 🔴 CRITICAL alpha: no heartbeat since 09:00 UTC"]}
OVER = "held back: ✅ alpha sends heartbeats again after being overdue for {} min"
TEN = "08:00-10:00"
"""Quiet hours that the bench's nine o'clock (UTC) is in."""


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Watch]:
    async with watched(tmp_path) as made:
        yield made


async def minutes(one: Watch, number: int) -> None:
    one.clock.pass_(minutes=number)
    await one.deliver()


async def over(one: Watch) -> None:
    await on(one, 1, "alpha", "beta")
    await on(one, 6, "alpha", "beta")
    await on(one, 1, "alpha", "beta")


async def lowered(one: Watch) -> None:
    """Have the incident fall to a warning, which its source does not report by itself."""
    await changed(one, lambda i: replace(i, problem=replace(i.problem, severity="warning"), alarmed=False))


async def raised(one: Watch) -> None:
    """Have the incident become critical."""
    now = one.clock.now()
    await changed(
        one,
        lambda i: replace(i, problem=replace(i.problem, severity="critical"), alarmed=True).noted(
            Reason.SEVERITY_RAISED, now
        ),
    )


async def changed(one: Watch, how) -> None:  # type: ignore[no-untyped-def]
    async with one.ledger.writing() as tx:
        [before] = (await tx.newest_incidents(one.clock.now())).values()
        after: Incident = how(before)
        await one.incidents.save(tx, {before.key: before}, [after], one.clock.now())
    await one.deliver()


@pytest.mark.parametrize("quiet", ["", "22:00-06:00", "08:00-09:11"])
async def test_what_is_held_comes_at_once_where_it_is_quiet_no_longer(one: Watch, quiet: str) -> None:
    await prefer(one, quiet=TEN)
    await alerted(one)
    await prefer(one, quiet=quiet)
    await one.deliver()
    assert direct(one) == HELD


@pytest.mark.parametrize(("quiet", "wait"), [("08:00-09:30", 19), ("08:00-12:00", 169), ("09:10-11:00", 109)])
async def test_what_is_held_comes_at_the_end_of_the_new_hours(one: Watch, quiet: str, wait: int) -> None:
    await prefer(one, quiet=TEN)
    await alerted(one)
    await prefer(one, quiet=quiet)
    await minutes(one, wait - 2)
    assert direct(one) == {}
    await minutes(one, 3)
    assert direct(one) == HELD


async def test_another_zone_may_end_the_quiet_hours(one: Watch) -> None:
    await prefer(one, quiet=TEN)
    await alerted(one)
    await prefer(one, quiet=TEN, zone="Asia/Tokyo")
    await one.deliver()
    assert direct(one) == HELD


async def test_who_is_to_be_woken_from_now_on_gets_what_is_held(one: Watch) -> None:
    await prefer(one, quiet=TEN)
    await alerted(one)
    await prefer(one, quiet=TEN, wake=True)
    await one.deliver()
    assert direct(one) == HELD


async def test_who_is_to_be_woken_for_critical_alerts_is_not_sent_what_is_none(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = watch(ledger, jobs=policies("alpha", severity="warning"))
        one.source.push("alpha")
        await prefer(one, quiet=TEN)
        await alerted(one)
        await prefer(one, quiet=TEN, wake=True)
        await one.deliver()
        assert direct(one) == {}, "a warning can wait for the end of the quiet hours"
        await minutes(one, 60)
        assert direct(one) == {MAYA: ["held back: ⚠️ WARNING alpha: no heartbeat since 09:00 UTC"]}


async def test_who_wants_no_critical_alerts_is_not_woken_for_one_until_they_do(one: Watch) -> None:
    await prefer(one, quiet=TEN)
    await alerted(one)
    await prefer(one, alerts=("warning",), quiet=TEN, wake=True)
    await one.deliver()
    assert direct(one) == {}
    await prefer(one, quiet=TEN, wake=True)
    await one.deliver()
    assert direct(one) == HELD


async def test_who_is_to_be_woken_is_not_sent_what_is_over(one: Watch) -> None:
    await prefer(one, quiet=TEN)
    await alerted(one)
    await over(one)
    await prefer(one, quiet=TEN, wake=True)
    await one.deliver()
    assert direct(one) == {}
    await minutes(one, 60)
    assert direct(one) == {MAYA: [OVER.format(2)]}


async def test_nothing_is_lost_where_hours_or_alerts_are_switched_off_and_on(one: Watch) -> None:
    await prefer(one, quiet=TEN)
    await alerted(one)
    await prefer(one, alerts=(), quiet=TEN)
    await minutes(one, 1)
    await prefer(one, quiet=TEN)
    await minutes(one, 60)
    assert direct(one) == HELD


async def test_alerts_held_under_old_and_new_hours_come_as_one(one: Watch) -> None:
    await prefer(one, quiet=TEN)
    await alerted(one)
    await prefer(one, quiet="08:00-11:00")
    one.source.fail("beta")
    await one.look(1)
    await minutes(one, 120)
    assert direct(one) == {MAYA: ["🔴 Your quiet hours held back 2 alerts: all are still firing"]}


@pytest.mark.parametrize("alerts", [(), ("warning",), None])
async def test_a_sent_alert_is_edited_to_its_end_whatever_is_preferred_by_then(
    one: Watch, alerts: tuple[str, ...] | None
) -> None:
    await prefer(one)
    await alerted(one)
    assert direct(one) == {MAYA: [CRITICAL]}
    await (prefer(one, alerts=alerts) if alerts is not None else reset(one.ledger, one.clock, MAYA))
    await over(one)
    assert direct(one) == {MAYA: ["✅ alpha sends heartbeats again after being overdue for 2 min"]}


@pytest.mark.parametrize(
    ("alerts", "quiet", "wake"),
    [((), TEN, False), (ALL, "22:00-06:00", False), (ALL, TEN, True), (ALL, "", False)],
)
async def test_a_sent_summary_is_edited_to_its_end_whatever_is_preferred_by_then(
    one: Watch, alerts: tuple[str, ...], quiet: str, wake: bool
) -> None:
    await prefer(one, quiet="08:00-09:30")
    await alerted(one)
    await minutes(one, 25)
    assert direct(one) == HELD
    await prefer(one, alerts=alerts, quiet=quiet, wake=wake)
    await over(one)
    assert direct(one) == {MAYA: [OVER.format(27)]}


async def test_of_a_group_too_every_incident_is_edited_to_its_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        jobs = tuple(f"job-{n}" for n in range(12))
        one = watch(ledger, jobs=policies(*jobs))
        for job in jobs:
            one.source.push(job)
        await one.look()
        await prefer(one)
        await one.look(12)
        await reset(ledger, one.clock, MAYA)
        await on(one, 1, *jobs)
        await on(one, 2, *jobs)
        [line] = direct(one)[MAYA]
        assert line.startswith("✅ All 12 incidents are over")


async def test_a_held_alert_that_became_less_severe_is_summed_up(one: Watch) -> None:
    await prefer(one, alerts=("critical",), quiet=TEN)
    await alerted(one)
    await lowered(one)
    await minutes(one, 60)
    assert direct(one) == {MAYA: ["held back: ⚠️ WARNING alpha: no heartbeat since 09:00 UTC"]}


@pytest.mark.parametrize("wake", [True, False])
async def test_a_held_warning_that_becomes_critical_wakes_who_said_so(tmp_path: Path, wake: bool) -> None:
    async with opened(tmp_path) as ledger:
        one = watch(ledger, jobs=policies("alpha", severity="warning"))
        one.source.push("alpha")
        await prefer(one, quiet=TEN, wake=wake)
        await alerted(one)
        assert direct(one) == {}
        await raised(one)
        own = {MAYA: [CRITICAL]} if wake else {}
        assert direct(one) == own
        await minutes(one, 60)
        assert direct(one) == (own or HELD)
