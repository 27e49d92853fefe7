"""`image pull` and `image set` with the real bot and two people: a tag moves in the registry, and moves again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox import images
from sandbox.cluster import kinds, objects
from sandbox.cluster.rbac import NAMESPACE
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("image-repairs")]
SETTINGS = {"probes": {"timeout": "15s"}}  # no registry hangs here, and the machine may be busy
LINE = "image pull --reason 'a fix'"
OLD, NEW = (f"{images.image(number).digest[:19]}…" for number in (1, 2))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, settings=SETTINGS, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


def runs(world: World) -> str:
    """The image that the pod's container reports."""
    [pod] = world.sandbox.cluster.simulation.pods()
    return str(pod["status"]["containerStatuses"][0]["imageID"])


async def test_a_tag_that_has_not_moved_is_refused(world: World) -> None:
    assert (await world.ask(LINE)).first_line == f"Nothing to pull: :latest points to {OLD}, which kali runs."
    assert "Pull the new image" not in [b["text"]["text"] for b in buttons(await world.ask("image"))]
    told = await world.ask(LINE, user=seed.SAM)
    assert told.first_line.startswith("You may not run image pull")


async def test_one_person_asks_for_the_new_image_and_another_approves(world: World) -> None:
    await world.break_("registry-pushed")
    assert "Pull the new image" in [b["text"]["text"] for b in buttons(await world.ask("image"))]
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
    assert images.image(1).digest in done  # in full, to be set by hand
    assert runs(world).endswith(images.image(2).digest)
    assert "Nothing to pull" in (await world.ask(LINE)).first_line


async def test_a_tag_that_moves_between_request_and_approval_voids_it(world: World) -> None:
    world.sandbox.registry.push(new=False)
    repair = await asked(world, LINE)
    world.sandbox.registry.push()
    await repair.click(seed.JONAS)
    await repair.shows(f"is void: :latest has moved ({OLD} → {NEW})")
    assert runs(world).endswith(images.image(2).digest)


async def test_a_registry_that_is_away_at_the_approval_leaves_the_pod_alone(world: World) -> None:
    world.sandbox.registry.push(new=False)
    repair = await asked(world, LINE)
    [before] = world.sandbox.cluster.simulation.pods()
    await world.break_("registry-down")
    assert "can't be asked: connection refused" in (await world.ask(LINE)).first_line
    await repair.click(seed.JONAS)
    await repair.shows("failed, nothing was changed: the registry ghcr.io can't be asked")
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def free_world() -> AsyncIterator[World]:
    """A Deployment that no program makes from Git."""
    target = {"image_set": ["kali"], "argocd": None}
    async with Sandbox(rate_limits=False, settings=SETTINGS, target=target, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


def named(world: World) -> str:
    """The image that the Deployment names."""
    found = world.sandbox.cluster.server.store.get(kinds.DEPLOYMENT, NAMESPACE, objects.APP)
    assert found is not None
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


async def test_another_tag_is_set_by_its_digest_and_set_back(free_world: World) -> None:
    world, digests = free_world, [images.image(number).digest for number in (1, 2)]
    repair = await asked(world, "image set 1.1.0 --reason 'a fix'")
    shown = repair.card.all_text()
    assert f"1.1.0 ({NEW}, built " in shown
    assert f"instead of latest ({OLD} runs)" in shown
    assert f"{images.REPOSITORY}:1.1.0@{digests[1]}" in shown
    assert "containers[kali].image" in shown
    await repair.click(seed.MAYA)
    assert named(world) == f"{images.REPOSITORY}:latest"
    await repair.click(seed.JONAS)
    done = await repair.shows("✅ Set image 1.1.0 for kali in secure-agent-pod: ready after")
    assert f"kali runs {NEW}, as approved" in done.all_text()
    assert named(world) == f"{images.REPOSITORY}:1.1.0@{digests[1]}"
    assert runs(world).endswith(digests[1])
    assert f"Back to {OLD}" in done.all_text()
    back = await asked(world, f"image set {digests[0]} --reason back")
    await back.click(seed.JONAS)
    shown = (await back.shows(f"✅ Set image {OLD} for kali")).all_text()
    assert named(world) == f"{images.REPOSITORY}@{digests[0]}"
    assert runs(world).endswith(digests[0])
    assert "Back to 1.1.0" in shown


async def test_the_way_back_to_a_tag_keeps_it(free_world: World) -> None:
    world, digests = free_world, [images.image(number).digest for number in (1, 2)]
    there = await asked(world, f"image set 1.1.0@{digests[1]} --back --reason back")
    assert "Back to 1.1.0 for kali in secure-agent-pod" in there.card.all_text()
    await there.click(seed.JONAS)
    await there.shows("✅ Set image back to 1.1.0 for kali in secure-agent-pod")
    assert named(world) == f"{images.REPOSITORY}:1.1.0@{digests[1]}"
    again = await world.ask("image set 1.1.0 --reason x")
    assert f"Nothing to set: the Deployment names 1.1.0 ({NEW}) for kali already." in again.text
    first = await asked(world, f"image set {digests[0]} --reason back")
    await first.click(seed.JONAS)
    await first.shows(f"✅ Set image {OLD} for kali")


async def test_an_image_that_crashes_fails_with_the_way_back(free_world: World) -> None:
    world = free_world
    repair = await asked(world, "image set 1.1.0 --reason 'a fix'")
    world.sandbox.cluster.simulation.faults.crash = True
    await repair.click(seed.JONAS)
    failed = await repair.shows("🔴 Image 1.1.0 for kali in secure-agent-pod failed")
    await world.workspace.panel.heal()
    world.sandbox.cluster.simulation.faults.crash = False
    assert f"Back to {OLD}" in failed.all_text()
    assert OLD in failed.all_text()
    done = await world.workspace.click(seed.MAYA, failed, "agentpod:run:0")
    assert done.ok, done.error
    view = await world.workspace.wait_view(seed.MAYA, lambda view: view.body["type"] == "modal")
    await world.workspace.submit_view(seed.MAYA, view, {"reason": "It crashes"})
    card = lambda: [m for m in world.workspace.messages(seed.OPS) if "It crashes" in m.all_text()]  # noqa: E731
    await until(lambda: bool(card()), lambda: "nobody is asked for the way back")
    assert OLD in card()[-1].all_text()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("image set 9.9.9 --reason x", "has no image derio-net/secure-agent-kali:9.9.9"),
        ("image set arm-only --reason x", "only for linux/arm64"),
        ("image set ghcr.io/other/image:1 --reason x", "takes a tag or a whole digest"),
        ("image set -x --reason x", "image set"),
        (f"image set sha256:{'0' * 64} --reason x", "has no image"),
        ("image set 1.1.0 --container other --reason x", "has no container other"),
    ],
)
async def test_what_can_not_be_set_is_refused(free_world: World, line: str, said: str) -> None:
    answer = await free_world.ask(line)
    assert said in answer.text
    assert "waits for an approver" not in answer.text


async def test_where_argo_cd_makes_the_deployment_the_change_is_to_be_committed(world: World) -> None:
    before = named(world)
    answer = await world.ask("image set 1.1.0 --reason 'a fix'")
    assert answer.first_line.startswith(
        "Argo CD application secure-agent-pod manages secure-agent-pod: commit the"
    )
    assert "undone within minutes, by its self-heal" in answer.text
    assert "newTag: 1.1.0" in answer.text
    assert f"digest: {images.image(2).digest}" in answer.text
    assert "apps/secure-agent-pod/manifests" in answer.text
    assert named(world) == before


def buttons(answer: object) -> list[dict[str, dict[str, str]]]:
    """The buttons of an answer."""
    blocks = [block for message in answer.messages for block in message.blocks or []]  # type: ignore[attr-defined]
    return [
        e for block in blocks if block["type"] == "actions" for e in block["elements"] if e["type"] == "button"
    ]
