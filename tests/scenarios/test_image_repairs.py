"""`image pull` with the real bot and two people: a tag moves in the registry, and moves again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox import images
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("image-repairs")]
LINE = "image pull --reason 'a fix'"
OLD, NEW = (f"{images.image(number).digest[:19]}…" for number in (1, 2))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    settings = {"probes": {"timeout": "2s"}}
    async with Sandbox(rate_limits=False, settings=settings, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


def runs(world: World) -> str:
    """The image that the pod's container reports."""
    [pod] = world.sandbox.cluster.simulation.pods()
    return str(pod["status"]["containerStatuses"][0]["imageID"])


async def test_a_tag_that_has_not_moved_is_refused(world: World) -> None:
    assert (await world.ask(LINE)).first_line == f"Nothing to pull: :latest points to {OLD}, which kali runs."
    assert "Pull" not in [b["text"]["text"] for b in buttons(await world.ask("image"))]
    told = await world.ask(LINE, user=seed.SAM)
    assert told.first_line.startswith("You may not run image pull")


async def test_one_person_asks_for_the_new_image_and_another_approves(world: World) -> None:
    await world.break_("registry-pushed")
    assert "Pull" in [b["text"]["text"] for b in buttons(await world.ask("image"))]
    repair = await asked(world, LINE)
    shown = repair.card.all_text()
    assert f"{OLD} runs; :latest points to {NEW}, built " in shown
    assert "Everything in it is down until the new one is ready" in shown
    assert "accepted; it only changes the restart annotation" in shown
    assert "New image" not in shown
    await repair.click(seed.MAYA)
    assert runs(world).endswith(images.image(1).digest)
    await repair.click(seed.JONAS)
    done = (await repair.shows("✅ Pulled the new image for kali in secure-agent-pod: ready after")).all_text()
    assert f"kali runs {NEW}, as approved" in done
    assert OLD in done
    assert runs(world).endswith(images.image(2).digest)
    assert "Nothing to pull" in (await world.ask(LINE)).first_line


async def test_a_tag_that_moves_between_request_and_approval_voids_it(world: World) -> None:
    world.sandbox.registry.push(new=False)
    repair = await asked(world, LINE)
    world.sandbox.registry.push()
    await repair.click(seed.JONAS)
    await repair.shows(f"void, since :latest has moved ({OLD} → {NEW})")
    assert runs(world).endswith(images.image(2).digest)


async def test_a_registry_that_is_away_at_the_approval_leaves_the_pod_alone(world: World) -> None:
    world.sandbox.registry.push(new=False)
    repair = await asked(world, LINE)
    [before] = world.sandbox.cluster.simulation.pods()
    await world.break_("registry-down")
    assert "can't be asked: connection refused" in (await world.ask(LINE)).first_line
    await repair.click(seed.JONAS)
    await repair.shows("failed: nothing was changed: the registry ghcr.io can't be asked")
    await world.workspace.panel.heal()
    [after] = world.sandbox.cluster.simulation.pods()
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


async def test_a_tag_that_moves_while_the_node_pulls_is_not_called_verified(world: World) -> None:
    world.sandbox.registry.push(new=False)
    repair = await asked(world, LINE)
    simulation = world.sandbox.cluster.simulation
    simulation.image_id, usual = (
        lambda image: world.sandbox.registry.image_id(f"{image}@{images.image(2).digest}"),
        (simulation.image_id),
    )
    await repair.click(seed.JONAS)
    done = await repair.shows(f"failed: the new pod is ready, but kali runs {NEW}, not {OLD}")
    simulation.image_id = usual
    assert "Verified" not in words([done])


def buttons(answer: object) -> list[dict[str, dict[str, str]]]:
    """The buttons of an answer."""
    blocks = [block for message in answer.messages for block in message.blocks or []]  # type: ignore[attr-defined]
    return [
        e for block in blocks if block["type"] == "actions" for e in block["elements"] if e["type"] == "button"
    ]
