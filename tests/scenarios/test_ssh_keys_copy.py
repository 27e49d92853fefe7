"""`ssh keys copy` with the real bot: the Secret changes, one person asks, and another approves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.cluster.exec import inside
from sandbox.cluster.files import KEYS_FILE, MOUNTED_KEYS
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-ssh-keys-copy")]
LINE = "ssh keys copy --reason 'a new laptop'"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


def keys(world: World, path: str = KEYS_FILE) -> str:
    """A file of keys in the pod."""
    simulation = world.sandbox.cluster.simulation
    [pod] = simulation.pods()
    return inside(simulation, pod).files[path].text


async def test_there_is_nothing_to_copy_while_the_pod_has_the_keys(module_world: World) -> None:
    assert "Nothing to do" in (await module_world.ask(LINE)).first_line
    told = await module_world.ask(LINE, user=seed.SAM)
    assert told.first_line.startswith("You may not run ssh keys copy")


async def test_the_pod_gets_the_new_keys_without_a_restart(module_world: World) -> None:
    world = module_world
    await world.break_("ssh-keys-changed")
    [pod] = world.sandbox.cluster.simulation.pods()
    before = keys(world)
    told = await world.ask("ssh keys")
    assert "copy the keys, or restart it" in told.first_line
    assert "Copy the SSH keys" in told.messages[0].all_text()
    repair = await asked(world, LINE)
    shown = repair.card.all_text()
    assert "Removed" in shown
    assert "SHA256:" in shown
    assert "void if the Secret agent-ssh-keys or the pod changes" in shown
    await repair.click(seed.MAYA)
    assert keys(world) == before
    await repair.click(seed.JONAS)
    done = await repair.shows("✅ SSH keys copied into secure-agent-pod")
    assert f"{KEYS_FILE} is the same as in the Secret" in done.all_text()
    assert keys(world) == keys(world, MOUNTED_KEYS) != before
    assert [one["metadata"]["uid"] for one in world.sandbox.cluster.simulation.pods()] == [pod["metadata"]["uid"]]
    assert "can sign in" in (await world.ask("ssh keys")).first_line
    assert "SSH keys in the pod" not in (await world.ask("status")).first_line


async def test_a_change_of_the_secret_after_the_request_voids_it(module_world: World) -> None:
    world = module_world
    await world.break_("ssh-keys-changed", value=False)
    repair = await asked(world, LINE)
    await world.break_("ssh-keys-changed")
    await repair.click(seed.JONAS)
    await repair.shows("is void: the Secret agent-ssh-keys was changed")


async def test_a_dry_run_shows_the_commands(module_world: World) -> None:
    told = await module_world.ask(LINE + " --dry-run")
    assert (
        '["install", "-m", "600", "<the mounted file>", "/home/claude/.ssh/authorized_keys.agentpod"]' in told.text
    )
    assert '["mv", "-f", "/home/claude/.ssh/authorized_keys.agentpod", ' in told.text
