"""`configs rotate` with the real bot, two people, and encrypted files on the bot's file system."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.cluster import kinds, objects
from sandbox.cluster.rbac import NAMESPACE
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-configs-rotate")]
LINE = "configs rotate --reason 'new kubeconfig'"
VALUE = "not a credential"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, pod_seconds=0.0, configs=True) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


def data(world: World) -> dict[str, str]:
    """The Secret's values."""
    found = world.sandbox.cluster.store.get(kinds.SECRET, NAMESPACE, objects.CONFIG_SECRET)
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


def files(world: World, values: dict[str, str]) -> None:
    """Encrypt other files."""
    assert world.sandbox.configs is not None
    world.sandbox.configs.replace(values)


async def test_the_secret_gets_the_files_once_an_approver_agrees(module_world: World) -> None:
    world = module_world
    before = data(world)
    repair = await asked(world, LINE)
    shown = repair.card.all_text()
    for part in (
        "Rotation of agent-configs on secure-agent-pod",
        "Changed",
        "kubeconfig",
        "omniconfig, talosconfig",
    ):
        assert part in shown
    assert "refreshes its files within about 90 s" in shown
    assert "(hidden)" not in shown
    await repair.click(seed.MAYA)
    assert data(world) == before
    await repair.click(seed.JONAS)
    done = await repair.shows("✅ agent-configs has the values of the encrypted file")
    assert "3 keys as in the file" in done.all_text()
    assert data(world) == before | {"kubeconfig": objects.config_file("kubeconfig", 2)}
    assert "there is nothing to rotate" in (await world.ask(LINE)).first_line


async def test_keys_come_and_go_and_no_value_is_anywhere(module_world: World) -> None:
    world = module_world
    files(world, {"kubeconfig": "secret: aB3aB3aB3aB3aB3aB3aB3\nmore: x\n", "sopsconfig": "hunter2-hunter2"})
    repair = await asked(world, LINE)
    shown = repair.card.all_text()
    assert "Added" in shown
    assert "sopsconfig" in shown
    assert "REMOVED" in shown
    assert "omniconfig, talosconfig" in shown
    await repair.click(seed.JONAS)
    await repair.shows("✅ agent-configs has the values of the encrypted file")
    assert data(world) == {
        "kubeconfig": "secret: aB3aB3aB3aB3aB3aB3aB3\nmore: x\n",
        "sopsconfig": "hunter2-hunter2",
    }
    trail = (await world.ask("audit export")).text
    everything = trail + "".join(m.all_text() for m in world.workspace.messages(seed.OPS)) + world.bot.output()
    assert "configs rotate" in everything
    for value in ("aB3aB3", "hunter2", VALUE):
        assert value not in everything


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("wrong-key", "does not decrypt configs.yaml: it is the wrong one"),
        ("plain", "Treat the values in configs.yaml as leaked: it is NOT ENCRYPTED"),
        ("changed", "was changed after it was encrypted"),
        ("gone", "There is no file "),
        ("other", "the manifest of another Secret"),
    ],
)
async def test_a_file_that_can_not_be_used_is_refused(module_world: World, wrong: str, said: str) -> None:
    before = data(module_world)
    await module_world.break_("configs-file", value=wrong)
    answer = await module_world.ask(LINE)
    assert said in answer.first_line
    assert "Unknown" not in answer.text
    assert VALUE not in answer.text
    await module_world.break_("configs-file", value="")
    assert data(module_world) == before


async def test_a_file_that_changes_after_the_request_voids_it(module_world: World) -> None:
    world = module_world
    await world.break_("configs-new")
    before = data(world)
    repair = await asked(world, LINE)
    await world.break_("configs-new")
    await repair.click(seed.JONAS)
    await repair.shows("is void: the encrypted file was changed")
    assert data(world) == before


async def test_a_secret_that_changes_after_the_request_voids_it(module_world: World) -> None:
    world = module_world
    repair = await asked(world, LINE)
    draft = world.sandbox.cluster.store.draft(kinds.SECRET, NAMESPACE, objects.CONFIG_SECRET)
    draft["data"] = {"kubeconfig": "bmV3"}
    world.sandbox.cluster.store.put(kinds.SECRET, draft)
    await repair.click(seed.JONAS)
    await repair.shows("is void: the Secret agent-configs was changed")


async def test_who_may_not_ask_is_refused(module_world: World) -> None:
    assert (await module_world.ask(LINE, user=seed.SAM)).first_line.startswith("You may not run configs rotate")


async def test_without_the_setting_the_steps_are_given() -> None:
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        told = await world.ask("configs rotate")
        assert told.first_line.startswith("Rotate the config files of secure-agent-pod by hand")
        apply = (
            "sops --decrypt secrets/secure-agent-pod/agent-configs.yaml | kubectl apply -n secure-agent-pod -f -"
        )
        assert apply in told.text
        assert "kubectl rollout restart -n secure-agent-pod deployment/secure-agent-pod" in told.text
        assert "targets[].configs_rotate" in told.text
