"""What resolves a job's incident: a newer success, and nothing that only looks like one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.heartbeats.heartbeat import Group
from tests.services.watchbench import Watch, policies, stale, watch, watched
from tests.times import utc

FAILED = "🔴 CRITICAL gamma: its last push failed"
OWN = {"metric": "own_success_seconds", "stale_after": "26h"}


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Watch]:
    async with watched(tmp_path) as made:
        yield made


async def failing(one: Watch) -> Watch:
    """A job with its own gauge, last set yesterday, whose push failed just now."""
    two = watch(one.ledger, like=one, jobs=policies("gamma", **OWN))
    yesterday = one.clock.time.timestamp() - 12 * 3600
    one.source.groups[(("job", "gamma"),)] = Group({"job": "gamma"}, {OWN["metric"]: yesterday})
    await two.look()
    one.source.fail("gamma")
    await two.look(0.1)
    assert two.first_lines() == [FAILED]
    return two


async def _minutes(one: Watch, many: int) -> None:
    for _ in range(many):
        await one.look(1)


@pytest.mark.parametrize(
    "how", ["pushed again", "deleted and pushed", "deleted and pushed without the gauge", "gone"]
)
async def test_failed_push_resolves_only_with_the_next_success(one: Watch, how: str) -> None:
    """The group is recreated, as after a restart of the Pushgateway, without the failed push."""
    two = await failing(one)
    key = (("job", "gamma"),)
    gauges = dict(one.source.groups.pop(key).gauges)
    now = one.clock.time.timestamp() + 4
    if how == "pushed again":
        gauges |= {"push_time_seconds": now}
    elif how == "deleted and pushed":
        gauges |= {"push_time_seconds": now, "push_failure_time_seconds": 0.0}
    else:
        gauges = {"push_time_seconds": now, "push_failure_time_seconds": 0.0}
    if how != "gone":
        one.source.groups[key] = Group({"job": "gamma"}, gauges)
    await _minutes(two, 5)
    assert two.first_lines() == [FAILED]
    assert two.thread() == []
    one.source.groups[key] = Group({"job": "gamma"}, gauges | {OWN["metric"]: one.clock.time.timestamp()})
    await _minutes(two, 3)
    assert two.first_lines() == ["✅ gamma's pushes are accepted again after 6 min 6 s"]


async def test_changed_rule_closes_instead_of_resolving(one: Watch) -> None:
    await stale(one)
    two = watch(one.ledger, like=one, jobs=policies("alpha", "beta", stale_after="3h"))
    await _minutes(two, 3)
    [line] = two.first_lines()
    assert line == "⚪ alpha: closed, by the settings it is not overdue now; no heartbeat has come"
    assert two.thread() == ["⚪ Closed, by the settings it is not overdue now; no heartbeat has come"]
    two.clock.pass_(minutes=170)
    one.source.push("beta")
    await two.look()
    assert two.first_lines()[-1].endswith("alpha: no heartbeat since 09:00 UTC"), (
        "it is overdue by the new rule too"
    )


@pytest.mark.parametrize(("inside", "buttons"), [(True, True), (False, False)])
async def test_job_outside_the_pod_offers_no_restart(one: Watch, inside: bool, buttons: bool) -> None:
    two = watch(one.ledger, like=one, jobs=policies("alpha", inside=inside))
    await two.look(11)
    shown = next(iter(two.chat.shown.values())).buttons
    assert ("Ask for a restart" in [b.label for b in shown]) is buttons
    looks = [b.command.partition(" --target")[0] for b in shown if b.label in ("Diagnose", "Logs", "Heartbeats")]
    assert looks == (["diagnose --first cron", "logs --grep alpha"] if inside else ["heartbeats"])


async def test_job_that_pushes_without_success_after_a_failed_push_says_so(one: Watch) -> None:
    two = await failing(one)
    one.source.push("gamma", at=one.clock.time.timestamp() + 4)
    await two.look(1)
    facts = {fact.label: fact.value for fact in utc(two.chat.shown["1.0"], one.clock.now()).facts}
    assert facts["Odd"] == "it has pushed since, without a success in own_success_seconds"
    assert facts["Last success"].endswith("21:00 UTC")


async def test_group_without_a_success_does_not_resolve(one: Watch) -> None:
    """A group without a success yet doesn't count as healthy."""
    two = await failing(watch(one.ledger, like=one))
    three = watch(one.ledger, like=one, jobs=policies("gamma", **OWN, groups="all"))
    one.source.push("gamma", instance="next")
    await _minutes(three, 3)
    assert three.first_lines() == two.first_lines() == [FAILED]
