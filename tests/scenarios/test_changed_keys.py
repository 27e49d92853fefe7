"""ConfigMaps that change, and Secrets and ConfigMaps that are deleted, as the real bot records them."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing

import pytest
import pytest_asyncio

from sandbox.cluster import objects
from sandbox.environment import Sandbox
from tests.scenarios.lives import alerts
from tests.scenarios.talk import PATIENCE, World, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-changed-keys")]
MAP, SSH = objects.SETTINGS_MAP, objects.SSH_SECRET
RULES = {"poll": "1s", "pod_for": "0s", "keep_firing": "0s"}


def sandbox_of() -> Sandbox:
    target = {"config_maps": [MAP]}
    return Sandbox(rate_limits=False, settings={"alerts": RULES}, target=target, pod_seconds=0.0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    async with sandbox_of() as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await world.ask("changes")
        await until(lambda: len(kept(world)) == 3, lambda: f"{list(kept(world))} were compared")
        yield world


def kept(world: World) -> dict[str, str]:
    """What the ledger has of the last looks at Secrets and ConfigMaps, by mark."""
    found = "select name, value from marks where name like 'seen:secret:%' or name like 'seen:configmap:%'"
    with closing(sqlite3.connect(world.sandbox.folder / "agentpod.db")) as ledger:
        return dict(ledger.execute(found).fetchall())


async def after_restart(world: World, *parts: str) -> str:
    """The answer of `changes` on one line, once the bot has started again and compared: it has these parts."""
    await world.bot.stop()
    world.bot = await world.sandbox.start_bot()
    end = time.monotonic() + PATIENCE
    while True:
        text = " ".join((await world.ask("changes")).text.split())
        if all(part in text for part in parts):
            return text
        assert time.monotonic() < end, text
        await asyncio.sleep(0.1)


async def test_a_key_of_a_config_map_is_named_and_its_value_is_nowhere(world: World) -> None:
    assert (await world.ask("changes")).first_line.startswith("Nothing changed since ")
    await world.break_("configmap", "changed")
    text = await after_restart(world, f"ConfigMap {MAP}: value of mode changed")
    assert "can do more than agentpod needs" not in world.bot.output()
    everything = text + world.bot.output() + "".join(kept(world).values())
    assert objects.SETTINGS_VALUES["model"] not in everything
    assert "slow" not in text + "".join(kept(world).values())


async def test_an_alert_says_that_the_config_map_changed_but_names_no_key(world: World) -> None:
    await world.break_("pod-kill-process", "vibe-kanban")
    start = "CRITICAL vibe-kanban is not running"
    await until(lambda: bool(alerts(world, start)), lambda: words(alerts(world)))
    text = " ".join(alerts(world, start)[-1].all_text().split())
    assert f"ConfigMap {MAP}: what it holds changed" in text
    await world.break_("pod-kill-process", "")


async def test_what_is_deleted_and_created_again_is_listed_so(world: World) -> None:
    await world.break_("configmap", "deleted")
    await world.break_("pod-config-error")
    await after_restart(world, f"ConfigMap {MAP}: deleted", f"Secret {SSH}: deleted")
    await world.break_("configmap", "")
    await world.break_("pod-config-error", value=False)
    text = await after_restart(
        world, f"ConfigMap {MAP}: created again: value of mode changed", f"Secret {SSH}: created again"
    )
    assert len(set(re.findall(rf"ConfigMap {MAP}: deleted · (change \d+)", text))) == 1


async def test_a_missing_right_is_said_at_the_start_and_the_rest_is_recorded() -> None:
    async with sandbox_of() as sandbox:
        authorizer = sandbox.cluster.server.authorizer
        authorizer.rules = [rule for rule in authorizer.rules if "configmaps" not in rule.resources]
        world = World(sandbox, await sandbox.start_bot())
        await world.ask("changes")
        await until(lambda: len(kept(world)) == 2, lambda: f"{list(kept(world))} were compared")
        await until(lambda: "missing right: " in world.bot.output(), world.bot.output)
        [line] = [line for line in world.bot.output().splitlines() if "missing right: " in line]
        assert f'get configmaps "{MAP}"' in line
        assert "Apply deploy/options/configmaps." in line
        await world.break_("ssh-keys-changed")
        await after_restart(world, f"Secret {SSH}: value of authorized_keys changed")
