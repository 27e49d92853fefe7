"""Odd clocks, defects and changed settings: one job's trouble is its own, and the settings hold at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from bot.domain.core.target import HeartbeatPolicy
from bot.domain.heartbeats.heartbeat import HeartbeatPoll
from bot.domain.incidents.alerting import Maintenance
from bot.services.incidents.muting import Muting
from tests.services.watchbench import CRITICAL, FakeSource, Watch, policies, watch, watched
from tests.services.workbench import START, Clock, opened


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Watch]:
    """Both jobs were seen at nine."""
    async with watched(tmp_path) as made:
        yield made


@pytest.mark.parametrize("odd", [START.timestamp() * 1000, float("inf"), float("nan"), -1.0, 1e300])
async def test_one_odd_value_stops_nothing(one: Watch, odd: float) -> None:
    one.source.push("beta", at=odd)
    await one.look(9)
    assert one.chat.said == []
    await one.look(2)
    assert sorted(one.first_lines()) == [CRITICAL, CRITICAL.replace("alpha", "beta")]
    assert set(await one.ledger.job_states()) == {"secure-agent-pod/alpha", "secure-agent-pod/beta"}
    for _ in range(3):
        one.source.push("beta")
        await one.look(1)
    assert [line for line in one.first_lines() if line.startswith("✅ beta sends heartbeats again")]


async def test_a_job_that_cannot_be_judged_is_said_and_the_others_are_watched(
    one: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = policies("beta")[0].model_copy(update={"stale_after": None, "schedule": "no crontab line"})
    two = watch(one.ledger, like=one)
    two.heartbeats.targets = [two.target.model_copy(update={"heartbeats": (broken, *policies("alpha"))})]
    await two.look(11)
    await two.look(1)
    assert sorted(one.first_lines()) == [
        "🔴 CRITICAL alpha: no heartbeat since 09:00 UTC",
        "🔴 CRITICAL beta: can't be judged (ValueError): nobody watches it",
    ]
    assert "a job could not be judged" in caplog.text


async def test_an_alert_whose_excuse_cannot_be_judged_is_told_and_the_others_are_watched(
    one: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    """There is a maintenance of it with a schedule that nobody can read."""
    window = Maintenance.model_validate({"name": "odd", "lasts": "1h", "schedule": "0 9 * * *", "jobs": ["gamma"]})
    broken = window.model_copy(update={"schedule": "no crontab line"})
    two = watch(one.ledger, like=one, jobs=policies("gamma", "alpha"))
    two.heartbeats.mute = Muting(two.rules.model_copy(update={"maintenance": (broken,)})).of
    two.source.fail("gamma")
    await two.look(11)
    assert sorted(one.first_lines()) == [CRITICAL, "🔴 CRITICAL gamma: its last push failed"]
    assert "whether to mute an alert could not be judged" in caplog.text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"stale_after": "26h"}, {}, CRITICAL),
        (
            {"metric": "other", "required": False},
            {"metric": "other"},
            "🔴 CRITICAL alpha: has never sent a heartbeat",
        ),
    ],
)
async def test_another_rule_holds_from_the_restart_on(
    tmp_path: Path, old: dict[str, object], new: dict[str, object], said: str
) -> None:
    async with opened(tmp_path) as ledger:
        before = watch(ledger, jobs=policies("alpha", **old))
        before.source.push("alpha")
        await before.look()
        await before.look(60)
        assert before.first_lines() == []
        after = watch(ledger, like=before, jobs=policies("alpha", **new))
        await after.look(1)
        assert after.first_lines() == [said]


async def test_a_clock_that_was_ahead_hides_no_death(one: Watch) -> None:
    one.source.push("alpha", at=START.timestamp() + 20 * 3600)
    for n in range(15):  # the clock is put right after one wrong push
        one.source.push("alpha" if n else "beta")
        one.source.push("beta")
        await one.look(1)
    for _ in range(9):
        one.source.push("beta")
        await one.look(1)
    assert one.first_lines() == ["🔴 CRITICAL alpha: no heartbeat since 09:14 UTC"]


def test_a_policy_s_fingerprint_changes_with_the_policy() -> None:
    plain = HeartbeatPolicy(job="a", schedule="0 9 * * *")
    assert plain.fingerprint == HeartbeatPolicy(job="a", schedule="0 9 * * *").fingerprint
    assert (
        plain.fingerprint != HeartbeatPolicy(job="a", schedule="0 9 * * *", timezone="Europe/Berlin").fingerprint
    )


@dataclass
class Sleeper:
    """A source that the machine falls asleep over, once: what it gives then is from before."""

    source: FakeSource
    clock: Clock
    hours: int = 3

    async def read(self, metrics: Collection[str]) -> HeartbeatPoll:
        before = await self.source.read(metrics)
        if self.hours:
            self.clock.pass_(hours=self.hours)
            self.hours = 0
            for job in ("alpha", "beta"):
                self.source.push(job)
        return before


async def test_what_was_read_before_the_machine_slept_is_read_again(one: Watch) -> None:
    one.heartbeats.source = Sleeper(one.source, one.clock)
    for _ in range(3):
        await one.look()
    assert one.chat.said == []
