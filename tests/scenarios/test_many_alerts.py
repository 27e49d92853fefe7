"""Many simultaneous alerts of the real bot become one message, with each alert in its thread."""

from __future__ import annotations

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.scenarios.talk import World, until, words

JOBS = tuple(f"job-{n:02}" for n in range(12))
BEATS = [{"job": job, "severity": "critical", "stale_after": "3s"} for job in JOBS]
RULES = {"poll": "1s", "keep_firing": "1s"}


def posted(world: World) -> list[Message]:
    """The messages that the bot posted in the channel unasked."""
    return [m for m in world.workspace.messages(seed.OPS) if m.bot_id and m.ephemeral_for is None]


def thread(world: World, root: Message) -> list[str]:
    found = world.workspace.messages(seed.OPS, thread_ts=root.ts)
    return [m.text for m in found if m.ts != root.ts]


async def test_twelve_jobs_that_stop_at_once_share_one_message_until_resolved() -> None:
    async with Sandbox(rate_limits=False, settings={"alerts": RULES}, target={"heartbeats": BEATS}) as sandbox:
        gateway = sandbox.pushgateway
        world = World(sandbox, await sandbox.start_bot())
        for job in JOBS:
            gateway.push({"job": job}, gateway.clock())
        await until(lambda: bool(posted(world)), world.bot.output)
        [root] = posted(world)
        assert "CRITICAL 12 incidents at once: job-11, job-10 and 10 more" in root.text
        await until(lambda: len(thread(world, root)) == 12, lambda: words(posted(world)))

        def over() -> bool:
            for job in JOBS:
                gateway.push({"job": job}, gateway.clock())
            *each, last = thread(world, root)
            ended = all(t.startswith("✅ job-") and " again after " in t for t in each)
            return ended and len(each) == 12 and last.startswith("✅ All 12 incidents are over, after ")

        await until(over, lambda: f"{thread(world, root)}")
        assert [m.ts for m in posted(world)] == [root.ts]
