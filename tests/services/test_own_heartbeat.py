"""The bot's own heartbeat: only while Slack is connected; a time offline is reported once, with its times."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.adapters.sinks.dead_mans_switch.client import DeadMansSwitch
from bot.domain.core.gap import Gap
from bot.errors import AgentpodError, Permanent, Transient
from bot.services.heartbeats.own_heartbeat import GAUGE, OfflineMessages, OwnHeartbeat
from tests.adapters.kube_bench import fixed, serving
from tests.services.watchbench import Watch, watch
from tests.services.workbench import OPS, opened


@dataclass
class Pushes:
    """A Pushgateway and a dead man's switch."""

    pushed: list[tuple[dict[str, str], dict[str, float]]] = field(default_factory=list)
    pings: int = 0
    error: Exception | None = None

    async def read(self, _: object) -> object:
        raise AssertionError

    async def push(self, labels: Mapping[str, str], gauges: Mapping[str, float]) -> None:
        if self.error is not None:
            raise self.error
        self.pushed.append((dict(labels), dict(gauges)))

    async def ping(self) -> None:
        self.pings += 1


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[Watch]:
    async with opened(tmp_path) as ledger:
        made = watch(ledger)
        made.outbox_worker.kinds = made.outbox_worker.kinds.with_(OfflineMessages().kinds(OPS))
        yield made


def own(world: Watch, to: Pushes) -> OwnHeartbeat:
    minute = timedelta(minutes=1)
    return OwnHeartbeat(world.clock, world.ledger, lambda: True, minute, OPS, "agentpod", to, to)  # type: ignore[arg-type]


class _Asked(Exception):
    """Ends the heartbeat's loop after some beats."""


async def test_heartbeat_only_while_slack_is_connected(world: Watch) -> None:
    hears = [False, True, False]

    def can_hear() -> bool:
        if not hears:
            raise _Asked
        return hears.pop(0)

    to = Pushes()
    with pytest.raises(_Asked):
        await replace(own(world, to), can_hear=can_hear, every=timedelta()).run()
    assert (to.pings, len(to.pushed)) == (1, 1)


async def test_heartbeat_is_pushed_and_pinged(world: Watch) -> None:
    to = Pushes()
    await own(world, to).beat()
    assert to.pushed == [({"job": "agentpod"}, {GAUGE: world.clock.time.timestamp()})]
    assert to.pings == 1


async def test_failed_push_does_not_prevent_the_ping(world: Watch) -> None:
    to = Pushes(error=Transient("away"))
    await own(world, to).beat()
    assert to.pings == 1


def offline(world: Watch, start: float | None, end: float = 0.0) -> Gap:
    """A gap that began and ended that many seconds ago."""
    now = world.clock.monotonic()
    return Gap(None if start is None else now - start, now - end)


async def test_offline_time_is_reported_once_with_its_times(world: Watch) -> None:
    one, other = own(world, Pushes()), own(world, Pushes())
    await one.beat()
    world.clock.pass_(minutes=7)
    for _ in range(2):
        await replace(other, gaps=lambda: (offline(world, None),)).beat()
    await one.beat()
    await world.deliver()
    assert world.first_lines() == ["🔌 I was offline for 7 min, from 09:00 UTC to 09:07 UTC"]


@pytest.mark.parametrize("seconds", [0.02, 3, 59, 119])
async def test_short_gap_is_not_reported_whenever_heartbeats_fall(world: Watch, seconds: float) -> None:
    one = own(world, Pushes())
    await one.beat()
    world.clock.pass_(minutes=1, seconds=59.9)  # the heartbeat of the minute before fell into the gap
    await replace(one, gaps=lambda: (offline(world, seconds),)).beat()
    await world.deliver()
    assert world.chat.said == []


async def test_long_gap_has_the_connection_s_times(world: Watch) -> None:
    one = own(world, Pushes())
    await one.beat()
    world.clock.pass_(minutes=9)
    gaps = (offline(world, 500, 470), offline(world, 420, 120), offline(world, 30, 27))
    await replace(one, gaps=lambda: gaps).beat()
    await world.deliver()
    assert world.first_lines() == ["🔌 I was offline for 5 min, from 09:02 UTC to 09:07 UTC"]


async def test_missed_heartbeats_with_a_connection_are_no_gap(world: Watch) -> None:
    one = own(world, Pushes())
    await one.beat()
    world.clock.pass_(minutes=30)
    await one.beat()
    await world.deliver()
    assert world.chat.said == []


async def test_gap_that_another_replica_covered_is_not_reported(world: Watch) -> None:
    one, other = own(world, Pushes()), own(world, Pushes())
    await one.beat()
    for _ in range(10):
        world.clock.pass_(minutes=1)
        await other.beat()
    world.clock.pass_(minutes=1)
    await replace(one, gaps=lambda: (offline(world, 660),)).beat()
    await world.deliver()
    assert world.chat.said == []


@pytest.mark.parametrize("kept", ["", "yesterday", "2026-11-24", "2026-11-24T09:00:00", "9" * 5000])
async def test_unreadable_mark_does_not_stop_the_heartbeat(world: Watch, kept: str) -> None:
    async with world.ledger.writing() as tx:
        await tx.set_mark("heard", kept)
    await replace(own(world, Pushes()), gaps=lambda: (offline(world, None),)).beat()
    await world.deliver()
    assert world.chat.said == []


async def test_stop_saves_the_time_of_the_last_connection(world: Watch) -> None:
    one = own(world, Pushes())
    task = asyncio.create_task(one.run())
    while await world.ledger.mark("heard") is None:  # noqa: ASYNC110 - the ledger has no event for it
        await asyncio.sleep(0.005)
    world.clock.pass_(minutes=4)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    world.clock.pass_(minutes=7)
    await replace(own(world, Pushes()), gaps=lambda: (offline(world, None),)).beat()
    await world.deliver()
    assert world.first_lines() == ["🔌 I was offline for 7 min, from 09:04 UTC to 09:11 UTC"]


@pytest.mark.parametrize(("code", "error"), [(200, None), (404, Permanent), (500, Transient), (429, Transient)])
async def test_dead_man_url_is_called_and_never_shown(code: int, error: type[AgentpodError] | None) -> None:
    async with serving(fixed(code, b"OK")) as port:
        url = DeadMansSwitch(f"http://127.0.0.1:{port}/a-secret-uuid")
        if error is None:
            await url.ping()
            return
        with pytest.raises(error) as caught:
            await url.ping()
    assert "a-secret-uuid" not in f"{caught.value.message} {caught.value.remedy}"


async def test_unreachable_dead_man_url_is_never_shown() -> None:
    with pytest.raises(Transient) as caught:
        await DeadMansSwitch("http://127.0.0.1:9/a-secret-uuid").ping()
    assert "a-secret-uuid" not in caught.value.message
