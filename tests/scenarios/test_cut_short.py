"""A bot that is stopped or killed in the middle of a command: whoever asked learns it, or what to do."""

from __future__ import annotations

import signal

import pytest

from bot.adapters.slack.unfinished import CUT_SHORT, IF_NOTHING_FOLLOWS
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.talk import World, until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("cut-short")]


@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGTERM, CUT_SHORT), (signal.SIGKILL, IF_NOTHING_FOLLOWS)],
    ids=["stopped", "killed"],
)
async def test_nobody_waits_for_an_answer_that_never_comes(number: signal.Signals, said: str) -> None:
    settings = {"probes": {"timeout": "60s"}}
    async with Sandbox(rate_limits=False, settings=settings, pod_seconds=0.0) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await world.break_("pod-exec-hangs")
        done = await world.workspace.slash(seed.MAYA, seed.OPS, "/agentpod", "status")
        shown = lambda: "\n".join(m.all_text() for m in done.messages)  # noqa: E731
        await until(lambda: "waiting for" in shown(), world.bot.output)
        assert await world.bot.stop(number, grace=25.0) == (0 if number is signal.SIGTERM else -signal.SIGKILL)
        assert said in shown()
        assert ("waiting for" in shown()) == (number is signal.SIGKILL)
