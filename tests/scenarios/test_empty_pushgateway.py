"""A Pushgateway that lost its data: `status` says how its jobs were last seen."""

from __future__ import annotations

from sandbox.environment import Sandbox
from tests.scenarios.golden import plain, recorded
from tests.scenarios.lives import wait_for_poll
from tests.scenarios.talk import World


async def test_the_jobs_are_reported_as_they_were_last_seen() -> None:
    async with Sandbox(rate_limits=False, settings={"alerts": {"poll": "1s"}}, pod_seconds=0.0) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await world.healthy()
        await wait_for_poll(world)
        await world.break_("pushgateway-empty")
        seen = (await world.ask("status")).text
    assert plain(seen) == recorded("pushgateway-empty", seen)
