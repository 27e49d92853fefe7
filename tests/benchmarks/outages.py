"""What an outage beside it costs: the bot's socket is cut, and twenty commands hang on an API server."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from statistics import median

from bot.app import SETTLE_SECONDS
from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.workspace import Workspace
from tests.benchmarks.acks import until_answered
from tests.benchmarks.common import Row

CUTS = 20
APART = 5.5
"""Seconds between two cuts of one bot: after one that follows sooner it takes a rest before it connects again."""
HANGING = 20
PAIRS, BATCH = 7, 30
PEOPLE = (seed.MAYA, seed.JONAS, seed.PRIYA)
"""Who asks for what hangs, in turns."""
SETTINGS = {"log": {"level": "error"}, "probes": {"timeout": "3m"}}
"""So that what hangs does so for as long as is measured."""


async def measure() -> list[Row]:
    """Two bots with a sandbox each, side by side."""
    async with _started() as first, _started() as second:
        return [await _deaf((first.workspace, second.workspace)), await _beside_hanging(first, second)]


@contextlib.asynccontextmanager
async def _started() -> AsyncIterator[Sandbox]:
    async with Sandbox(rate_limits=False, settings=SETTINGS) as sandbox:
        await sandbox.start_bot()
        await asyncio.sleep(SETTLE_SECONDS + 1)
        yield sandbox


async def _deaf(workspaces: Sequence[Workspace]) -> Row:
    """From the cut of its socket until the bot is greeted on the next one, by Slack's clock."""
    seconds: list[float] = []
    for number in range(CUTS):
        await asyncio.sleep(APART / len(workspaces))
        workspace = workspaces[number % len(workspaces)]
        started = time.perf_counter()
        await workspace.panel.apply("slack-cut-socket", None)
        await workspace.wait_connected()
        seconds.append(time.perf_counter() - started)
    deaf = median(seconds) * 1000
    detail = f"median of {CUTS} cuts, {min(seconds) * 1000:.1f} to {max(seconds) * 1000:.1f} ms"
    return Row("deaf after a cut socket (ms)", deaf, 20.0, detail)


async def _beside_hanging(idle: Sandbox, busy: Sandbox) -> Row:
    """A command that asks nothing of the cluster, in turns on an idle bot and on one whose commands hang."""
    await busy.workspace.panel.apply("kube-hang", True)
    asked = [
        busy.workspace.slash(PEOPLE[n % len(PEOPLE)], seed.OPS, "/agentpod", "status") for n in range(HANGING)
    ]
    hanging = await asyncio.gather(*asked)
    pairs = [(await _help(busy.workspace), await _help(idle.workspace)) for _ in range(PAIRS + 1)]
    if any("Could not tell" in m.all_text() for done in hanging for m in done.messages):
        raise RuntimeError("a command did not hang for as long as was measured")
    ratio = median(beside / alone for beside, alone in pairs[1:])  # the first pair warms up
    beside, alone = (median(side) * 1000 for side in zip(*pairs[1:], strict=True))
    detail = f"{beside:.1f} ms beside {alone:.1f} ms on an idle bot, medians of {PAIRS} pairs of {BATCH} commands"
    return Row(f"no-cluster command while {HANGING} hang", ratio, 1.5, detail)


async def _help(workspace: Workspace) -> float:
    """Seconds from the command to its final answer: the median of a batch, one after the other."""
    seconds: list[float] = []
    for _ in range(BATCH):
        started = time.perf_counter()
        await until_answered([await workspace.slash(seed.MAYA, seed.OPS, "/agentpod", "help")])
        seconds.append(time.perf_counter() - started)
    return median(seconds)
