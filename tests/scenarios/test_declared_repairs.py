"""A repair that a runbook declares, with the real bot: offered, refused, approved, carried out and checked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.cluster.fixture import FixtureFile
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-declared-repairs")]
EXAMPLES = Path(__file__).parents[2] / "examples"
UP = ("s6-svc", "-u", "/run/service/renderer")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    fixture = tmp_path_factory.mktemp("fixture") / "web.yaml"
    fixture.write_text((EXAMPLES / "fixtures/web-sidecar.yaml").read_text())
    target = {"runbook": [str(EXAMPLES / "web-sidecar.yaml")]}
    async with Sandbox(rate_limits=False, target=target, fixture=FixtureFile(fixture), pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


def ran(world: World) -> list[tuple[str, ...]]:
    """The commands that changed something in the pretend pod."""
    return world.sandbox.cluster.simulation.fixture_states.ran


async def test_it_is_explained_like_any_command(module_world: World) -> None:
    told = await module_world.ask("help start-service")
    assert "start-service [--reason REASON] SERVICE" in told.text
    assert "one of nginx, renderer" in told.text
    assert "start-service" in (await module_world.ask("help")).text
    assert "Yes" in (await module_world.ask("can-i start-service")).first_line


async def test_who_lacks_the_role_is_refused(module_world: World) -> None:
    told = await module_world.ask("start-service renderer --reason why", user=seed.SAM)
    assert told.first_line.startswith("You may not run start-service")


async def test_a_service_that_runs_is_not_started(module_world: World) -> None:
    told = await module_world.ask("start-service nginx --reason why")
    assert told.first_line == "start-service is refused: nginx is not down: up (pid 7) 3600 seconds."


async def test_a_value_that_is_not_declared_is_refused(module_world: World) -> None:
    told = await module_world.ask("start-service 'renderer; reboot' --reason why")
    assert "it takes one of nginx, renderer" in told.text


async def test_an_approved_repair_is_carried_out_once_and_checked(module_world: World) -> None:
    world = module_world
    assert "down (exitcode 1)" in (await world.ask("status")).text
    repair = await asked(world, 'start-service renderer --reason "it gave up"')
    shown = repair.card.all_text()
    assert repair.card.text.startswith("✋ start-service renderer on ")
    for part in (
        "Start a service that the supervisor gave up on.",
        "s6-svc -u /run/service/renderer, in web",
        "2 that begin anew",
        "it gave up",
        "void if the pod, its container or the runbook's entry changes",
    ):
        assert part in shown
    assert ran(world) == []
    await repair.click(seed.JONAS)
    done = await repair.shows("✅ Done: start-service renderer on ")
    assert "exit code 0" in done.all_text()
    assert "Then checked: \nRenderer: up (pid 45)" in done.all_text()
    assert ran(world) == [UP]
    assert "down (exitcode 1)" not in (await world.ask("status")).text
    trail = await world.says("audit --tail 20", "step 2 ended with exit code 0")
    assert "step 1 begins: rm -f /run/service/renderer/down in web" in trail.text
    assert "asked for start-service renderer (it gave up)" in trail.text


async def test_it_is_refused_once_it_is_done(module_world: World) -> None:
    told = await module_world.ask("start-service renderer --reason again")
    assert told.first_line.startswith("start-service is refused: renderer is not down: up (pid 45)")
