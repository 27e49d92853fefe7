"""Another image on the real API server, with the shipped rights and under the admission policies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from sandbox import images
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.controlplane.admitted import admission
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
