"""Acknowledgement of slash commands, beside a bare Bolt app that does nothing else, in turns within one run.

Both run all the time. One measured batch is ours, the next the bare app's: what else the machine does meets both.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from statistics import median

from bot.app import SETTLE_SECONDS
from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.user_actions import Interaction
from sandbox.slack.workspace import Workspace
from tests.benchmarks.common import ROOT, Row, plain_env, python, quantile
from tests.scenarios.talk import is_final

PAIRS = 9
BATCHES = {1: 200, 50: 1000}
"""How many commands a batch has, by how many are in flight."""
ANSWERED = 60.0
"""Seconds within which whatever was acknowledged has to be answered."""
PEOPLE = (seed.MAYA, seed.JONAS, seed.PRIYA)
"""The users who send the commands in turn."""


async def measure() -> list[Row]:
    """The next command follows on an acknowledgement: p50 and p99 of ours over the bare app's."""
    async with _echo() as bare, _agentpod() as ours:
        return [row for at_once, count in BATCHES.items() for row in await _compared(ours, bare, at_once, count)]


async def _compared(ours: Workspace, bare: Workspace, at_once: int, count: int) -> list[Row]:
    """Medians over the pairs: one that something else disturbed does not count for more than another."""
    pairs: list[tuple[Sequence[float], Sequence[float]]] = []
    for _ in range(PAIRS + 1):
        theirs = await load(bare, count, at_once)
        mine = await load(ours, count, at_once)
        pairs.append((_seconds(mine), _seconds(theirs)))
        await until_answered(mine)
        for workspace in (ours, bare):
            workspace.record.clear()
    return [_row(pairs[1:], at_once, share) for share in (0.5, 0.99)]  # the first pair warms up


def _row(pairs: Sequence[tuple[Sequence[float], Sequence[float]]], at_once: int, share: float) -> Row:
    found = [(quantile(mine, share), quantile(theirs, share)) for mine, theirs in pairs]
    mine, theirs = (median(side) * 1000 for side in zip(*found, strict=True))
    detail = f"{mine:.2f} ms beside {theirs:.2f} ms, medians of {len(found)} pairs of {len(pairs[0][0])} commands"
    name = f"ack p{share * 100:.0f} vs bare Bolt, {at_once} in flight"
    return Row(name, median(a / b for a, b in found), 1.2, detail)


@contextlib.asynccontextmanager
async def _echo() -> AsyncIterator[Workspace]:
    async with Workspace(ROOT / "deploy" / "slack-manifest.yaml", rate_limits=False) as workspace:
        env = plain_env(
            ECHO_BOT_TOKEN=workspace.bot_token, ECHO_APP_TOKEN=workspace.app_token, ECHO_API_URL=workspace.api_url
        )
        async with python("-m", "tests.benchmarks.bare", "echo", env=env):
            await workspace.wait_connected()
            yield workspace


@contextlib.asynccontextmanager
async def _agentpod() -> AsyncIterator[Workspace]:
    async with Sandbox(rate_limits=False, settings={"log": {"level": "warning"}}) as sandbox:
        await sandbox.start_bot()
        await asyncio.sleep(SETTLE_SECONDS + 1)  # ledger and cluster are loaded in parallel to Slack's connection
        yield sandbox.workspace


async def load(
    workspace: Workspace, count: int, at_once: int = 50, text: str = "version", *, answered: bool = False
) -> list[Interaction]:
    """Send ``count`` commands, so many at a time. Raises RuntimeError if one fails.

    The next one follows after the acknowledgement, or with ``answered`` after the final answer, as with people.
    """
    todo = iter(range(count))
    sent: list[Interaction] = []

    async def user(who: str) -> None:
        for _ in todo:
            done = await workspace.slash(who, seed.OPS, "/agentpod", text)
            if not done.ok:
                raise RuntimeError(f"a command failed: {done.error}")
            sent.append(done)
            if answered:
                await until_answered([done])

    # A single user would be rate-limited after 24 concurrent commands.
    await asyncio.gather(*(user(PEOPLE[n % len(PEOPLE)]) for n in range(at_once)))
    return sent


async def until_answered(sent: Sequence[Interaction]) -> None:
    """Until each has its answer, or was told that too much waits. Raises TimeoutError: one was lost."""
    async with asyncio.timeout(ANSWERED):
        for done in sent:
            while not is_final(done.messages):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.002)


def _seconds(sent: Sequence[Interaction]) -> list[float]:
    return [done.ack_seconds for done in sent]
