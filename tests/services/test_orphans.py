"""Incidents of whatever was removed from the settings are closed, not resolved, and no others are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.domain.core.target import Target
from bot.errors import Permanent
from bot.services.incidents.orphans import OrphanCloser
from tests.services.watchbench import AWAY, CRITICAL, Watch, down, on, policies, stale, watch, watched
from tests.services.workbench import OPS, opened


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Watch]:
    """Alpha's alert has been posted; beta is healthy."""
    async with watched(tmp_path) as made:
        yield await stale(made)


async def restarted(one: Watch, *targets: Target, heartbeats: bool = True) -> None:
    """Restart the bot with other settings, and deliver the pending messages."""
    incidents = watch(one.ledger, like=one).incidents
    incidents.channels = {t.name: OPS for t in targets}
    await OrphanCloser(targets, heartbeats, one.clock, incidents).close()
    await one.deliver()


async def job_states(one: Watch) -> set[str]:
    return set(await one.ledger.job_states())


async def test_unchanged_settings_close_nothing(one: Watch) -> None:
    await restarted(one, one.target)
    assert one.first_lines() == [CRITICAL]
    assert await job_states(one) == {"secure-agent-pod/alpha", "secure-agent-pod/beta"}


async def test_removed_job_is_closed_and_not_called_resolved(one: Watch) -> None:
    await restarted(one, Target(heartbeats=policies("beta")))
    assert one.first_lines() == ["⚪ alpha: closed, the job is no longer in the settings"]
    assert await job_states(one) == {"secure-agent-pod/beta"}
    assert not await one.ledger.incidents(live=True)


async def test_removed_target_is_closed_in_its_messages(one: Watch) -> None:
    await one.see()
    await one.see(down())
    await one.see(down(), 3)
    await one.pod.source_unavailable(Permanent("The API server refused the bot's token."), one.clock.time)
    await one.deliver()
    assert len(one.first_lines()) == 3
    await restarted(one, Target(name="renamed", heartbeats=policies("alpha", "beta")))
    why = "closed, the target is no longer in the settings"
    assert one.first_lines() == [f"⚪ {who}: {why}" for who in ("alpha", "secure-agent-pod", "The API server")]
    assert await job_states(one) == set()


async def test_removed_pushgateway_closes_its_incidents_and_not_the_pod_s(one: Watch) -> None:
    one.source.error = AWAY
    for _ in range(5):
        await one.look(1)
    await one.see()
    await one.see(down())
    await one.see(down(), 3)
    await restarted(one, one.target, heartbeats=False)
    why = "closed, the settings have no Pushgateway any more"
    assert one.first_lines() == [
        f"⚪ alpha: {why}",
        f"⚪ The Pushgateway: {why}",
        "🔴 CRITICAL secure-agent-pod: kali keeps crashing",
    ]


async def test_paused_job_is_closed_and_its_state_kept(one: Watch) -> None:
    paused = watch(one.ledger, like=one, jobs=(*policies("alpha", paused=True), *policies("beta")))
    await paused.look()
    assert one.first_lines() == [CRITICAL], "not called well"
    await restarted(one, paused.target)
    assert one.first_lines() == ["⚪ alpha: closed, the job is paused in the settings"]
    assert "secure-agent-pod/alpha" in await job_states(one)
    await on(paused, 60)
    resumed = watch(one.ledger, like=one)
    await on(resumed, 1)
    assert len(one.chat.said) == 2, "it has a period to come"
    await on(resumed, 10)
    assert one.first_lines()[-1].startswith(CRITICAL)


@pytest.mark.parametrize("name", ["secure-agent-pod", "secure", "secure-agent-pod.2"])
async def test_targets_with_similar_names_keep_their_incidents(tmp_path: Path, name: str) -> None:
    async with opened(tmp_path) as ledger:
        both = watch(ledger)
        other = Target(name="secure-agent", heartbeats=policies("alpha"))
        mine = Target(name=name, heartbeats=policies("alpha"))
        both.heartbeats.targets = [other, mine]
        both.source.push("alpha")
        await both.look()
        await restarted(both, other, mine)
        assert await job_states(both) == {"secure-agent/alpha", f"{name}/alpha"}
        await restarted(both, other)
        assert await job_states(both) == {"secure-agent/alpha"}
