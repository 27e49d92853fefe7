"""The bot's own heartbeat: a long time offline is reported once the bot reconnects."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.talk import World, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("own-heartbeat")]


def pushed(world: World) -> float:
    """When the bot's own heartbeat was last pushed, in seconds since the epoch; 0 for never."""
    groups = world.sandbox.pushgateway.groups.values()
    return max((g.success for g in groups if g.labels["job"] == "agentpod"), default=0.0)


def backdate_connection(world: World) -> None:
    """Record that the bot was last connected ten minutes ago, to spare the test the wait."""
    heard = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
    with closing(sqlite3.connect(world.sandbox.folder / "agentpod.db")) as database, database:
        assert database.execute("UPDATE marks SET value = ? WHERE name = 'heard'", (heard,)).rowcount == 1


async def wait_until_idle(world: World) -> None:
    """Wait until no heartbeat is in flight: then the recorded time of the last connection stays the same."""
    seen: list[str] = []

    def unchanged() -> bool:
        with closing(sqlite3.connect(world.sandbox.folder / "agentpod.db")) as database:
            seen.extend(database.execute("SELECT value FROM marks WHERE name = 'heard'").fetchone())
        return len(seen) > 25 and len(set(seen[-25:])) == 1

    await until(unchanged, lambda: f"it goes on hearing: {seen[-3:]}")


async def test_only_a_long_outage_is_reported_once_with_its_times() -> None:
    async with Sandbox(rate_limits=False, settings={"heartbeat": {"every": "1s"}}, pod_seconds=0.0) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await until(lambda: pushed(world) > 0, world.bot.output)
        await world.break_("slack-no-connect")
        await world.break_("slack-cut-socket", None)
        await world.ready_becomes(503)
        await wait_until_idle(world)
        last = pushed(world)
        backdate_connection(world)  # as a heartbeat during the gap would have recorded it
        await world.break_("slack-no-connect", False)
        await until(lambda: pushed(world) > last, world.bot.output)
        await world.bot.stop(signal.SIGKILL)
        backdate_connection(world)
        world.bot = await sandbox.start_bot()

        def told() -> list[str]:
            said = (words([m]) for m in world.workspace.messages(seed.OPS))
            return [text for text in said if "I was offline for" in text]

        await until(lambda: bool(told()), world.bot.output)
        before = pushed(world)
        await until(lambda: pushed(world) > before, world.bot.output)
        assert len(told()) == 1
        assert "I was offline for 10 min" in told()[0]
