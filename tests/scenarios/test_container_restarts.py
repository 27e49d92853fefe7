"""`restart --container` with the real bot: refused, approved by another person, followed by its restart count."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from sandbox.cluster.fixture import FixtureFile
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-container-restarts")]
FIXTURE = """
containers:
  kali: {}
  proxy: {processes: [squid -N]}
  bare:
    processes: [app]
    commands: [{run: [kill, "1"], stderr: "exec: kill: not found", exit_code: 127}]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    fixture = tmp_path_factory.mktemp("fixture") / "two.yaml"
    fixture.write_text(FIXTURE)
    async with Sandbox(rate_limits=False, fixture=FixtureFile(fixture), pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


def counts(world: World) -> dict[str, int]:
    """The restart count of each container of the only pod."""
    [pod] = world.sandbox.cluster.simulation.pods()
    every: list[dict[str, Any]] = pod["status"]["containerStatuses"] + pod["status"]["initContainerStatuses"]
    return {one["name"]: one["restartCount"] for one in every}


async def test_an_unknown_container_and_a_missing_role_are_refused(module_world: World) -> None:
    told = await module_world.ask("restart --container prxy --reason why")
    assert "has no container prxy" in told.first_line
    assert "Did you mean proxy?" in told.text
    told = await module_world.ask("restart --container proxy --reason why", user=seed.SAM)
    assert told.first_line.startswith("You may not run restart")


async def test_one_person_asks_another_approves_and_only_that_container_is_restarted(module_world: World) -> None:
    world = module_world
    before, [pod] = counts(world), world.sandbox.cluster.simulation.pods()
    repair = await asked(world, "restart --container proxy --reason 'its cache grows'")
    shown = repair.card.all_text()
    assert repair.card.text.startswith("✋ Restart of proxy in secure-agent-pod: needs approval")
    for part in ("Ends the main process of proxy", "kali, bare and the volumes stay", "kill 1, in proxy"):
        assert part in shown
    assert "void if the pod, the container or its image changes" in shown
    assert "Agent sessions" not in shown, "those are in another container"
    assert "it needs the role approver" in (await repair.click(seed.MAYA)).text
    assert counts(world) == before
    await repair.click(seed.JONAS)
    done = await repair.shows("✅ Restarted proxy in secure-agent-pod")
    assert "0 → 1" in done.all_text()
    assert counts(world) == {**before, "proxy": 1}
    assert [one["metadata"]["uid"] for one in world.sandbox.cluster.simulation.pods()] == [pod["metadata"]["uid"]]
    trail = await world.says("audit --tail 20", "step 1 ended with exit code 0")
    assert "step 1 begins: kill 1 in proxy" in trail.text
    assert "asked for restart --container proxy (its cache grows)" in trail.text
    status = (await world.ask("status")).text
    assert status.startswith("✅ Healthy")
    assert f"by {repair.id}\n, approved by " in status, "a mention follows"
    assert "Something outside" not in status


async def test_a_connection_that_dies_with_the_container_is_no_failure(module_world: World) -> None:
    world = module_world
    before = counts(world)
    await world.break_("pod-exec-dies")
    repair = await asked(world, "restart --container kali --reason hangs")
    assert "Agent sessions that end" in repair.card.all_text()
    await repair.click(seed.JONAS)
    done = await repair.shows("✅ Restarted kali in secure-agent-pod")
    assert "no answer says how it ended" in done.all_text()
    assert counts(world) == {**before, "kali": before["kali"] + 1}
    await world.break_("pod-exec-dies", value=False)


async def test_a_container_without_the_program_fails_with_the_remedy(module_world: World) -> None:
    repair = await asked(module_world, "restart --container bare --reason hangs")
    await repair.click(seed.JONAS)
    done = await repair.shows("🔴 Restart of bare in secure-agent-pod failed")
    assert "bare has no program kill: nothing was changed" in done.text
    assert "Set stop for bare in the runbook's section pod" in done.all_text()


async def test_a_dry_run_shows_the_command_and_sends_nothing(module_world: World) -> None:
    before = counts(module_world)
    told = await module_world.ask("restart --container proxy --reason why --dry-run")
    assert 'argv in proxy: ["kill", "1"]' in told.text
    assert "within 10 s, at most once" in told.text
    assert counts(module_world) == before
