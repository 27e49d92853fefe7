"""Fifty heartbeats go stale while Slack is down: the real bot reports all of them afterwards, in one message."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.scenarios.talk import World, until, words

JOBS = tuple(f"job-{n:02}" for n in range(50))
BACK = JOBS[:10]
"""The jobs that recover while Slack is still down."""
BEATS = [{"job": job, "severity": "critical", "stale_after": "4s"} for job in JOBS]
RULES = {"poll": "1s", "keep_firing": "1s"}
PATIENCE = 90.0
"""Seconds; long, since the pauses between retries grow while Slack is down."""


def posted(world: World) -> list[Message]:
    """The messages that the bot posted in the channel unasked."""
    return [m for m in world.workspace.messages(seed.OPS) if m.bot_id and m.ephemeral_for is None]


def thread(world: World) -> list[str]:
    """The replies in the channel, in order."""
    return [m.text for m in world.workspace.store.everything(seed.OPS) if m.is_reply]


def of(job: str, lines: Iterable[str]) -> list[str]:
    """The icons of the lines about a job."""
    return [line[:1] for line in lines if job in line]


def push(world: World, jobs: Iterable[str]) -> None:
    gateway = world.sandbox.pushgateway
    for job in jobs:
        gateway.push({"job": job}, gateway.clock())


def incidents(world: World, live: bool) -> int:
    """The number of incidents in the ledger."""
    with closing(sqlite3.connect(world.sandbox.folder / "agentpod.db")) as database:
        found = database.execute("SELECT count(*) FROM incidents WHERE told AND live = ?", (live,)).fetchone()
    return int(found[0])


def away(world: World) -> Callable[[], dict[int, int]]:
    """Make Slack answer 429 and 500 in turn; returns how often it refused each way."""
    faults, calls = world.workspace.core.faults, world.workspace.record.of

    def step() -> dict[int, int]:
        refused = [call.status for call in calls("chat.postMessage") if not call.ok]
        limited = not refused or refused[-1] == 500
        faults.rate_limited, faults.server_error = 2 if limited else 0, not limited
        return {status: refused.count(status) for status in (429, 500)}

    return step


async def test_fifty_jobs_that_flip_while_slack_is_down_are_reported_in_one_message() -> None:
    async with Sandbox(rate_limits=False, settings={"alerts": RULES}, target={"heartbeats": BEATS}) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await world.ask("incidents")  # the ledger exists
        step = away(world)
        push(world, JOBS)

        def stale() -> bool:
            step()
            return incidents(world, live=True) == 50

        await until(stale, world.bot.output, PATIENCE)

        def back() -> bool:
            push(world, BACK)
            return min(step().values()) >= 1 and incidents(world, live=False) == 10

        await until(back, world.bot.output, PATIENCE)
        assert posted(world) == []
        await world.workspace.panel.heal()

        def arrived() -> bool:
            push(world, BACK)
            return all(of(job, thread(world)) == ["🔴"] for job in JOBS[10:])

        await until(arrived, lambda: words(posted(world)), PATIENCE)
        [root] = posted(world)
        assert "CRITICAL 40 of 50 incidents at once" in root.text

        def over() -> bool:
            push(world, JOBS)
            said = thread(world)
            return said[-1].startswith("✅ All 50 incidents are over") and len(of("✅", said)) == len(said)

        await until(over, lambda: f"{thread(world)}", PATIENCE)
        assert posted(world) == [root]
        assert all(of(job, thread(world)) == ["✅"] for job in JOBS[10:]), "its own message shows its end"
        assert all(of(job, thread(world)) in ([], ["✅"]) for job in BACK)
