"""The real bot in HTTP mode: it handles signed requests only, each once."""

from __future__ import annotations

import io
import time
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import aiohttp
import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.http_mode import sign
from tests.healthy import HEALTHY
from tests.scenarios.talk import World, until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-http_mode")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    """A bot in HTTP mode."""
    async with Sandbox(rate_limits=False, pod_seconds=0.0, http_mode=True) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


class Sender:
    """Sends requests as Slack, or as an impostor."""

    def __init__(self, world: World) -> None:
        self.secret = world.workspace.signing_secret
        self.port = world.bot.env["AGENTPOD_SLACK__HTTP__PORT"]

    async def post(self, body: bytes, *, age: float = 0, secret: str = "", unsigned: bool = False) -> int:
        stamp = str(int(time.time() - age))
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if not unsigned:
            signature = sign(secret or self.secret, stamp, body)
            headers |= {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}
        url = f"http://127.0.0.1:{self.port}/slack/events"
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, data=io.BytesIO(body), headers=headers) as response,
        ):
            return response.status


def _version(trigger: str, user: str = seed.MAYA) -> bytes:
    fields = {"command": "/agentpod", "text": "version", "user_id": user, "channel_id": seed.OPS}
    return urlencode(fields | {"trigger_id": trigger}).encode()


async def test_a_slash_command_is_answered(world: World) -> None:
    assert HEALTHY in (await world.healthy()).first_line


async def test_a_mention_is_answered_in_its_thread(world: World) -> None:
    asked = world.workspace.mention(seed.MAYA, seed.OPS, "whoami")
    answer = await world.final(lambda: world.workspace.messages(seed.OPS, seed.MAYA, asked.ts)[1:])
    assert "operator" in answer.text


async def test_a_click_runs_its_command(world: World) -> None:
    answer = await world.ask("whoamy")
    done = await world.workspace.click(seed.MAYA, answer.messages[0], "agentpod:run:0")
    assert done.ok
    assert seed.MAYA in (await world.final(lambda: done.messages)).text


async def test_a_shortcut_and_a_workflow_s_step_are_run(world: World) -> None:
    message = world.workspace.say(seed.MAYA, seed.OPS, "is it down?")
    assert (await world.workspace.shortcut(seed.MAYA, "status_here", message)).ok
    await world.final(lambda: world.workspace.messages(seed.OPS, thread_ts=message.ts)[1:])
    run = world.workspace.workflows.run(seed.MAYA, seed.OPS, "run_check", {"check": "version"})
    await until(lambda: run.state != "running", world.bot.output)
    assert run.error.startswith("Refused: a workflow can run only checks")


async def test_an_unsigned_request_is_refused(world: World) -> None:
    sender = Sender(world)
    before = await world.metric("agentpod_commands_total", command="version")
    assert await sender.post(_version("t.wrong"), secret="wrong") == 401
    assert await sender.post(_version("t.none"), unsigned=True) == 401
    assert await sender.post(_version("t.old"), age=400) == 401
    assert await world.metric("agentpod_commands_total", command="version") == before


async def test_a_replayed_request_runs_once(world: World) -> None:
    sender = Sender(world)
    before = await world.metric("agentpod_commands_total", command="version")
    again = await world.metric("agentpod_slack_redeliveries_total", kind="slash")
    assert [await sender.post(_version("t.replayed")) for _ in range(3)] == [200, 200, 200]
    await world.metric_becomes("agentpod_slack_redeliveries_total", again + 2, kind="slash")
    await world.metric_becomes("agentpod_commands_total", before + 1, command="version")


async def test_readiness_reports_that_the_bot_listens(world: World) -> None:
    assert await world.ready() == (200, [])
    assert "Traceback" not in world.bot.output()
