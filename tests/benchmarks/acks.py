"""Acknowledgement of slash commands under load, beside a bare Bolt app that does nothing else."""

from __future__ import annotations

import asyncio

from bot.app import SETTLE_SECONDS
from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.workspace import Workspace
from tests.benchmarks.common import ROOT, Row, plain_env, python, quantile

COMMANDS = 1000
AT_ONCE = 50
ROUNDS = 3
PEOPLE = (seed.MAYA, seed.JONAS, seed.PRIYA)
"""Who sends them, in turns."""


async def measure() -> list[Row]:
    """1,000 commands, 50 at a time: p99 of ours over p99 of the bare app's; the best of three rounds each."""
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(ROUNDS):
        bare.append(quantile(await _echo(), 0.99))
        ours.append(quantile(await _agentpod(), 0.99))
    detail = (
        f"p99 {min(ours) * 1000:.1f} ms beside {min(bare) * 1000:.1f} ms, {COMMANDS} commands, {AT_ONCE} at once"
    )
    return [Row("ack p99 vs bare Bolt", min(ours) / min(bare), 1.3, detail)]


async def _echo() -> list[float]:
    async with Workspace(ROOT / "deploy" / "slack-manifest.yaml", rate_limits=False) as workspace:
        env = plain_env(
            ECHO_BOT_TOKEN=workspace.bot_token, ECHO_APP_TOKEN=workspace.app_token, ECHO_API_URL=workspace.api_url
        )
        async with python("-m", "tests.benchmarks.bare", "echo", env=env):
            await workspace.wait_connected()
            return await load(workspace, COMMANDS)


async def _agentpod() -> list[float]:
    async with Sandbox(rate_limits=False, settings={"log": {"level": "warning"}}) as sandbox:
        await sandbox.start_bot()
        await asyncio.sleep(SETTLE_SECONDS + 1)  # ledger and cluster are loaded beside Slack's connection
        return await load(sandbox.workspace, COMMANDS)


async def load(workspace: Workspace, count: int, text: str = "version", *, answered: bool = False) -> list[float]:
    """Send ``count`` commands, so many at a time; gives each one's seconds to the ack. Raises if one fails.

    The next one follows on the acknowledgement, or with ``answered`` on the final answer, as people do.
    """
    todo = iter(range(count))
    seconds: list[float] = []

    async def user(who: str) -> None:
        for _ in todo:
            done = await workspace.slash(who, seed.OPS, "/agentpod", text)
            if not done.ok:
                raise RuntimeError(f"a command failed: {done.error}")
            seconds.append(done.ack_seconds)
            while answered and not any("Python" in m.all_text() for m in done.messages):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.002)

    # One person alone would be told to wait: 24 at a time are taken.
    await asyncio.gather(*(user(PEOPLE[n % len(PEOPLE)]) for n in range(AT_ONCE)))
    return seconds
