"""Odd clocks, defects and changed settings: a job's defect affects no other job, new settings apply at once."""

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
    """Watchers that saw both jobs at nine."""
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


async def test_job_that_cannot_be_judged_is_reported_and_others_watched(
    one: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = policies("beta")[0].model_copy(update={"stale_after": None, "schedule": "no crontab line"})
    two = watch(one.ledger, like=one)
    two.heartbeats.targets = [two.target.model_copy(update={"heartbeats": (broken, *policies("alpha"))})]
    await two.look(11)
    await two.look(1)
    assert sorted(one.first_lines()) == [
        "🔴 CRITICAL alpha: no heartbeat since 09:00 UTC",
        "🔴 CRITICAL beta can't be judged (ValueError), so it is not watched",
    ]
    assert "a job could not be judged" in caplog.text


async def test_alert_whose_muting_cannot_be_judged_is_sent(one: Watch, caplog: pytest.LogCaptureFixture) -> None:
    """A maintenance window has a schedule that can't be evaluated."""
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
            "🔴 CRITICAL alpha has never sent a heartbeat",
        ),
    ],
)
async def test_changed_rule_applies_after_a_restart(
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


async def test_clock_that_was_ahead_hides_no_stale_job(one: Watch) -> None:
    one.source.push("alpha", at=START.timestamp() + 20 * 3600)
    for n in range(15):  # the clock is put right after one wrong push
        one.source.push("alpha" if n else "beta")
        one.source.push("beta")
        await one.look(1)
    for _ in range(9):
        one.source.push("beta")
        await one.look(1)
    assert one.first_lines() == ["🔴 CRITICAL alpha: no heartbeat since 09:14 UTC"]


def test_policy_fingerprint_changes_with_the_policy() -> None:
    plain = HeartbeatPolicy(job="a", schedule="0 9 * * *")
    assert plain.fingerprint == HeartbeatPolicy(job="a", schedule="0 9 * * *").fingerprint
    assert (
        plain.fingerprint != HeartbeatPolicy(job="a", schedule="0 9 * * *", timezone="Europe/Berlin").fingerprint
    )


@dataclass
class Sleeper:
    """A source during whose first read the machine sleeps, so that its answer is old."""

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


async def test_data_from_before_a_sleep_is_read_again(one: Watch) -> None:
    one.heartbeats.source = Sleeper(one.source, one.clock)
    for _ in range(3):
        await one.look()
    assert one.chat.said == []
