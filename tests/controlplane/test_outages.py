"""The API server and etcd are killed, paused and restarted under the running bot, on the second control plane."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.errors import Transient
from sandbox.slack import seed
from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.plane import Plane
from tests.controlplane.watching import ETCD, HEALTHY, SERVER, comes_to_say, comes_true, port, watching
from tests.scenarios.repairs import asked
from tests.scenarios.talk import Answer, World

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROBE = 2.0
"""Each probe's deadline in seconds."""
SILENT = (
    "❓ Could not tell: the API server does not answer",
    f"❓ Could not tell: API server gave no answer in {PROBE:g} s",
)
"""The second where a read that a watcher had begun before was still answered."""


@pytest.fixture(scope="module")
def pod(second_plane: Plane) -> AgentPod:
    """An agent pod on the second control plane."""
    made = AgentPod(second_plane).create()
    made.heal()
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(pod: AgentPod) -> AsyncIterator[World]:
    """The pod's bot, which is healthy before each test."""
    async with watching(pod, probe=f"{PROBE:g}s") as world:
        yield world


async def test_a_killed_api_server_is_unknown_at_once_and_regained_when_it_returns(
    world: World, fragile_plane: Plane
) -> None:
    assert HEALTHY in (await comes_to_say(world, HEALTHY)).first_line
    fragile_plane.end(SERVER)
    answer = await world.ask("status")
    assert f"Could not tell: the API server at {fragile_plane.url} refused the connection" in answer.first_line
    assert "See whether it runs" in answer.text
    assert "3 ok: SSH, VibeKanban, Heartbeats" in answer.text
    assert await world.ready() == (200, [])

    fragile_plane.run(SERVER)
    assert HEALTHY in (await comes_to_say(world, HEALTHY)).first_line
    assert "Traceback" not in world.bot.output()


async def test_an_idle_bot_does_not_notice_a_restarted_api_server(world: World, fragile_plane: Plane) -> None:
    """The bot's pool holds connections to the killed server."""
    assert HEALTHY in (await comes_to_say(world, HEALTHY)).first_line
    fragile_plane.end(SERVER)
    fragile_plane.run(SERVER)
    await asyncio.to_thread(fragile_plane.wait_ready)
    assert HEALTHY in (await world.ask("status")).first_line


async def test_a_hung_api_server_holds_no_answer_longer_than_the_deadline(
    world: World, fragile_plane: Plane
) -> None:
    assert HEALTHY in (await comes_to_say(world, HEALTHY)).first_line
    fragile_plane.processes[SERVER].send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        answer = await world.ask("status")
        took = time.monotonic() - began
    finally:
        fragile_plane.processes[SERVER].send_signal(signal.SIGCONT)
    assert answer.first_line in SILENT
    assert f"no answer in {PROBE:g} s" in answer.text
    assert took < 3 * PROBE
    assert HEALTHY in (await comes_to_say(world, HEALTHY)).first_line


async def test_an_api_server_without_etcd_does_not_answer_and_can_be_retried(
    world: World, fragile_plane: Plane, pod: AgentPod
) -> None:
    assert HEALTHY in (await comes_to_say(world, HEALTHY)).first_line
    kubeconfig = pod.kubeconfig()
    fragile_plane.end(ETCD)
    async with port(kubeconfig, pod.namespace, PROBE) as cluster:
        answer, read = await asyncio.gather(world.ask("status"), cluster.services(), return_exceptions=True)
    assert isinstance(answer, Answer)
    assert answer.first_line in SILENT
    assert isinstance(read, Transient)

    fragile_plane.run(ETCD)
    assert HEALTHY in (await comes_to_say(world, HEALTHY)).first_line


async def test_an_approved_restart_survives_a_restart_of_the_api_server(
    world: World, fragile_plane: Plane, pod: AgentPod
) -> None:
    """A starting API server first refuses connections, then every user until it has read its RBAC rules."""
    assert HEALTHY in (await comes_to_say(world, HEALTHY)).first_line
    repair = await asked(world, "restart --reason try")
    before = await asyncio.to_thread(fragile_plane.call, "GET", pod.deployment_path)
    fragile_plane.end(SERVER)
    fragile_plane.run(SERVER)
    await repair.click(seed.PRIYA)
    await asyncio.to_thread(fragile_plane.wait_ready)

    async def made() -> bool:
        now = await asyncio.to_thread(fragile_plane.call, "GET", pod.deployment_path)
        annotations = now["spec"]["template"]["metadata"].get("annotations", {})
        return repair.id in annotations.values() and now["metadata"]["generation"] == generation + 1

    generation = before["metadata"]["generation"]
    await comes_true(made, f"the restart of {repair.id}: {world.bot.output()[-2000:]}")
    assert "nothing was changed" not in repair.card.all_text()
    assert "Traceback" not in world.bot.output()
