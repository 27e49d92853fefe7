"""What a tag points to now: the real bot on the pretend cluster and the pretend registry."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox import images
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("image-tags")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, settings={"probes": {"timeout": "2s"}}, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


async def test_nothing_is_said_while_the_tag_stays(world: World) -> None:
    assert ":latest points to: \nthe image that runs" in (await world.ask("image")).text
    repair = await asked(world, "restart --reason why")
    assert "has moved" not in words([repair.card])
    await world.ask(f"deny {repair.id} --reason done", seed.PRIYA)


async def test_a_new_image_is_on_the_card_and_in_the_answer(world: World) -> None:
    await world.break_("registry-pushed")
    new = images.image(2).digest[:19]
    assert f"{new}…, another image than the one that runs" in (await world.ask("image")).text
    repair = await asked(world, "restart --force --reason why")
    assert f":latest has moved: this starts {new}… instead of {images.image(1).digest[:19]}…" in words(
        [repair.card]
    )
    await repair.click(seed.JONAS)
    await repair.shows("✅ Restarted")
    assert "another image" not in (await world.ask("image")).text


@pytest.mark.parametrize(
    ("fault", "why"),
    [("registry-hangs", "gave no answer in 2 s"), ("registry-down", "can't be asked: connection refused")],
)
async def test_a_registry_that_can_t_be_asked_holds_up_nothing(world: World, fault: str, why: str) -> None:
    await world.break_(fault)
    assert why in (await world.ask("image")).text
    repair = await asked(world, "restart --reason why")
    assert f"not known whether :latest has moved: the registry ghcr.io {why}" in words([repair.card])
    await world.ask(f"deny {repair.id} --reason done", seed.PRIYA)
    await world.workspace.panel.heal()
