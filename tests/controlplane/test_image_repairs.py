"""Another image on the real API server, with the shipped rights and under the admission policies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from bot.domain.rbac.admission import POLICY
from sandbox import images
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.controlplane.admitted import Caller, admission, path_of
from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.plane import Plane
from tests.controlplane.test_admission import BOOK
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World

OLD, NEW = (images.image(number).digest for number in (1, 2))
SETTINGS = {"probes": {"timeout": "15s"}}


@pytest.fixture(scope="module")
def pulling(plane: Plane, numbers: Iterator[int]) -> AgentPod:
    """An agent pod whose node pulls the registry's new image once the pod is restarted."""
    pod = AgentPod(plane, f"agent-{next(numbers)}").create()
    marks = {"controlplane.test/pulls": NEW}
    pod.patch(pod.deployment_path, {"spec": {"template": {"metadata": {"annotations": marks}}}})
    pod.until(lambda: len(pod.pods()) == 1 and marks.items() <= pod.pod()["metadata"]["annotations"].items())
    pod.heal()
    return pod


def runs(pod: AgentPod) -> str:
    """The image that the pod's container reports."""
    return str(pod.pod()["status"]["containerStatuses"][0]["imageID"])


@pytest.mark.timeout(240)
async def test_an_approved_pull_is_verified_by_the_digest_that_runs(pulling: AgentPod) -> None:
    target, before = pulling.where() | {"argocd": None}, runs(pulling)
    with admission(pulling, BOOK):
        async with Sandbox(
            rate_limits=False, kubeconfig=pulling.kubeconfig(), target=target, settings=SETTINGS
        ) as sandbox:
            sandbox.registry.push()
            world = World(sandbox, await sandbox.start_bot())
            repair = await asked(world, "image pull --reason try")
            assert f":latest points to {NEW[:19]}…" in repair.card.all_text()
            assert "accepted; it only changes the restart annotation" in repair.card.all_text()
            await repair.click(seed.JONAS)
            done = await repair.shows("✅ Pulled the new image for kali", patience=60)
            assert f"kali runs {NEW[:19]}…, as approved" in done.all_text()
    assert await asyncio.to_thread(runs, pulling) != before
    assert runs(pulling).endswith(NEW)


def container(pod: AgentPod) -> Any:
    """The container in the Deployment's pod template."""
    [found] = pod.plane.call("GET", pod.deployment_path)["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.timeout(240)
async def test_an_approved_image_is_set_by_its_digest(pulling: AgentPod) -> None:
    target = pulling.where() | {"argocd": None, "image_set": ["kali"]}
    with admission(pulling, BOOK, image_set=("kali",)):
        async with Sandbox(
            rate_limits=False, kubeconfig=pulling.kubeconfig(), target=target, settings=SETTINGS
        ) as sandbox:
            world = World(sandbox, await sandbox.start_bot())
            for number, tag in ((1, "1.0.0"), (2, "1.1.0")):
                digest = images.image(number).digest
                repair = await asked(world, f"image set {tag} --reason try")
                name = f"{images.REPOSITORY}:{tag}@{digest}"
                assert "containers[kali].image" in repair.card.all_text()
                await repair.click(seed.JONAS)
                done = await repair.shows(f"✅ Set image {tag} for kali", patience=60)
                assert f"kali runs {digest[:19]}…, as approved" in done.all_text()
                assert (await asyncio.to_thread(container, pulling))["image"] == name


OTHERS = {
    "another repository": f"ghcr.io/derio-net/other:1@{NEW}",
    "a longer repository": f"{images.REPOSITORY}-evil@{NEW}",
    "a repository below": f"{images.REPOSITORY}/evil:1@{NEW}",
    "another registry": f"evil.example/{images.PATH}:1@{NEW}",
    "no digest": f"{images.REPOSITORY}:1.1.0",
    "half a digest": f"{images.REPOSITORY}:1.1.0@{NEW[:40]}",
    "two digests": f"{images.REPOSITORY}@{OLD}@{NEW}",
    "a line break": f"{images.REPOSITORY}@{NEW}\n",
}


def patch_of(*containers: Any, **spec: Any) -> Any:
    return {"spec": {"template": {"spec": {"containers": list(containers), **spec}}}}


def test_admission_takes_the_image_and_nothing_beside_it(pulling: AgentPod) -> None:
    new = f"{images.REPOSITORY}:1.1.0@{OLD}"
    evil = {"name": "evil", "image": new}
    beside = {
        "environment": patch_of({"name": "kali", "image": new, "env": [{"name": "A", "value": "b"}]}),
        "command": patch_of({"name": "kali", "image": new, "command": ["sh"]}),
        "another container": patch_of({"name": "evil", "image": new}),
        "beside it": patch_of({"name": "kali", "image": new}, {"name": "evil", "image": new}),
        "an init container": patch_of(
            {"name": "kali", "image": new}, initContainers=[{"name": "i", "image": new}]
        ),
        "the node": patch_of({"name": "kali", "image": new}, nodeName="gpu-2"),
        "a removed one": patch_of({"name": "kali", "$patch": "delete"}, evil),
    }
    kind, path = "strategic-merge-patch+json", pulling.deployment_path
    with admission(pulling, BOOK, image_set=("kali",)) as things, closing(Caller(pulling)) as caller:
        assert caller.patch(path, patch_of({"name": "kali", "image": new}), kind).taken
        for what, image in OTHERS.items():
            assert caller.patch(path, patch_of({"name": "kali", "image": image}), kind).refused, what
        for what, body in beside.items():
            assert caller.patch(path, body, kind).refused, what
        for thing in things:
            if thing["kind"] == POLICY:
                status = pulling.plane.call("GET", path_of(thing))["status"]
                assert status.get("typeChecking", {}).get("expressionWarnings", []) == []
    for settable in ((), ("proxy",)):
        with admission(pulling, BOOK, image_set=settable), closing(Caller(pulling)) as caller:
            assert caller.patch(path, patch_of({"name": "kali", "image": new}), kind).refused
