"""Pod states that Kubernetes decides on: init containers, native sidecars, readiness gates, evictions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from sandbox.slack import seed
from tests.controlplane.agent_pod import PLAY, AgentPod
from tests.controlplane.watching import HEALTHY, comes_to_say, watching
from tests.scenarios.lives import alerts
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World, until, words

pytestmark = pytest.mark.asyncio(loop_scope="module")

BESIDE = {
    "initContainers": [
        {"name": "fix-permissions", "image": "busybox:1.37", "command": ["chown", "-R", "1000", "/home/claude"]},
        {"name": "egress-proxy", "image": "envoy:1.33", "restartPolicy": "Always"},
    ],
    "readinessGates": [{"conditionType": "example.com/load-balancer"}],
}
"""What this module's pod has besides the main container."""


@pytest.fixture(scope="module")
def shared_pod(shared_pod: AgentPod) -> AgentPod:
    """The module's pod, with an init container, a native sidecar and a readiness gate."""
    shared_pod.patch(shared_pod.deployment_path, {"spec": {"template": {"spec": BESIDE}}})
    shared_pod.until(lambda: "initContainers" in shared_pod.pod()["spec"])
    shared_pod.heal()
    return shared_pod


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(shared_pod: AgentPod) -> AsyncIterator[World]:
    """The pod's real bot, which sends alerts at once."""
    rules = {"poll": "1s", "pod_for": "0s", "keep_firing": "0s", "remind": "1h"}
    async with watching(shared_pod, alerts=rules) as world:
        yield world


@pytest.fixture
def pod(shared_pod: AgentPod) -> Iterator[AgentPod]:
    """The pod, healthy before each test."""
    yield shared_pod
    shared_pod.heal()


@pytest.mark.parametrize(
    ("played", "first", "also"),
    [
        (
            "init-crash",
            "init container fix-permissions keeps crashing (exit 1, 7 restarts)",
            "chown: /home/claude: Read-only file system",
        ),
        ("sidecar-crash", "sidecar egress-proxy keeps hitting its memory limit (12 restarts)", "OOMKilled"),
        (
            "create-error",
            'name "kali_agent_0" is reserved',
            "A container of an earlier attempt is left on the node",
        ),
        ("gate", "readiness gate example.com/load-balancer", "Follows from it: Endpoints"),
    ],
)
async def test_the_cause_is_named_first_by_status_pods_and_the_alert(
    world: World, pod: AgentPod, played: str, first: str, also: str
) -> None:
    assert HEALTHY in (await comes_to_say(world, HEALTHY)).first_line
    pod.play(played)
    answer = await world.ask("status")
    assert answer.first_line.startswith("🔴 Not healthy: ")
    assert first in answer.first_line
    assert also in answer.text
    assert "create secret" not in answer.text
    assert first in (await world.ask("pods")).first_line
    await until(lambda: bool(alerts(world, first)), lambda: words(alerts(world)))


async def test_the_log_of_a_sidecar_can_be_read(world: World, pod: AgentPod) -> None:
    answer = await world.ask("logs --container egress-proxy")
    assert "has no container" not in answer.text


async def test_a_restart_whose_init_container_crashes_fails_at_once_with_that_cause(
    world: World, pod: AgentPod
) -> None:
    template = {"metadata": {"annotations": {PLAY: "init-crash"}}}
    pod.patch(pod.deployment_path, {"spec": {"template": template}})
    await asyncio.to_thread(pod.until, lambda: pod._plays("init-crash"))
    repair = await asked(world, "restart --reason permissions")
    await repair.click(seed.JONAS)
    card = await repair.shows("init container fix-permissions keeps crashing")
    assert "✅" not in card.text
    pod.patch(pod.deployment_path, {"spec": {"template": {"metadata": {"annotations": {PLAY: None}}}}})
    await asyncio.to_thread(pod.heal)


async def test_an_evicted_pod_beside_its_successor_does_not_affect_an_approval(
    world: World, pod: AgentPod
) -> None:
    """The ReplicaSet's controller creates a new pod; the evicted one stays as a record."""
    old = f"{pod.path}/pods/{pod.pod()['metadata']['name']}"
    pod.patch(old, {"metadata": {"annotations": {PLAY: "evicted"}}})
    await asyncio.to_thread(pod.until, lambda: len(pod.pods()) == 2 and len(pod.ready_pods()) == 1)
    [tombstone] = [p for p in pod.pods() if p["status"]["phase"] == "Failed"]
    name = tombstone["metadata"]["name"]
    assert HEALTHY in (await comes_to_say(world, HEALTHY)).first_line
    repair = await asked(world, "restart --force --reason tombstones")
    assert name not in words(repair.cards())
    pod.plane.call("DELETE", f"{pod.path}/pods/{name}")
    await repair.click(seed.JONAS)
    await repair.shows("✅ ")
