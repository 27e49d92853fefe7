"""The first line of `status` for an unhealthy pod or Deployment, on a real control plane."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.controlplane.agent_pod import APP, AgentPod
from tests.controlplane.watching import HEALTHY, comes_to_say
from tests.scenarios.talk import World

pytestmark = pytest.mark.asyncio(loop_scope="module")
FINALIZER = "controlplane.test/stays"


@pytest.fixture
def pod(shared_pod: AgentPod) -> Iterator[AgentPod]:
    """The pod, healthy before each test."""
    yield shared_pod
    shared_pod.heal()


@pytest.mark.parametrize(
    ("played", "first", "also"),
    [
        ("slow", "Not healthy: kali has been starting since", "Not checked because of it: Identity"),
        ("not-ready", "Not healthy: kali runs but is not ready", "the events show"),
        ("crash-loop", "Not healthy: kali keeps crashing (exit 1, 5 restarts)", "kali ended at "),
        ("oom-killed", "Healthy, with 1 warning: kali hit its memory limit", "raise the container's limit"),
        (
            "config-error",
            "Not healthy: Secret agent-ssh-keys is missing, so kali can't start",
            'secret "agent-ssh-keys" not found',
        ),
    ],
)
async def test_a_pod_in_trouble_is_named_first(
    world: World, pod: AgentPod, played: str, first: str, also: str
) -> None:
    pod.play(played)
    answer = await world.ask("status")
    assert first in answer.first_line
    assert also in answer.text


async def test_a_healthy_pod_is_one_line(world: World, pod: AgentPod) -> None:
    assert HEALTHY in (await world.ask("status")).first_line
    assert f"1/1 ready on {pod.pod()['spec']['nodeName']}" in (await world.ask("pods")).first_line


async def test_two_pods_are_one_too_many_and_both_are_listed(world: World, pod: AgentPod) -> None:
    pod.patch(pod.deployment_path, {"spec": {"replicas": 2}})
    pod.until(lambda: len(pod.ready_pods()) == 2)
    answer = await world.ask("status")
    assert "Not healthy: 2 pods run instead of one: 2 replicas wanted" in answer.first_line
    for one in pod.pods():
        assert f"{one['metadata']['name']}: 1/1 Running" in answer.text


async def test_a_pod_stuck_terminating_is_named_as_the_cause_of_no_new_pod(world: World, pod: AgentPod) -> None:
    old = f"{pod.path}/pods/{pod.pod()['metadata']['name']}"
    pod.patch(old, {"metadata": {"finalizers": [FINALIZER]}})
    pod.kubectl("rollout", "restart", f"deployment/{APP}")
    pod.until(lambda: "deletionTimestamp" in pod.pod()["metadata"])
    answer = await world.ask("status")
    assert "the old pod is still terminating and there is no new one yet" in answer.first_line
    assert f"{old.rpartition('/')[2]}: Terminating" in answer.text
    pod.patch(old, {"metadata": {"finalizers": None}})
    assert "1/1 ready" in (await comes_to_say(world, "1/1 ready", command="pods")).first_line


async def test_a_deployment_scaled_to_zero_is_named_as_the_cause_of_no_pod(world: World, pod: AgentPod) -> None:
    pod.patch(pod.deployment_path, {"spec": {"replicas": 0}})
    pod.until(lambda: not pod.pods())
    answer = await world.ask("status")
    assert f"Not healthy: Deployment {APP} is scaled to 0" in answer.first_line
    assert f"kubectl -n {pod.namespace} scale deployment {APP} --replicas=1" in answer.text
    assert "Not checked because of it: Identity, Processes, Disk" in answer.text


async def test_a_missing_deployment_is_reported_as_missing(world: World, pod: AgentPod) -> None:
    pod.plane.call("DELETE", pod.deployment_path)
    pod.until(lambda: not pod.pods())
    answer = await world.ask("status")
    assert f"Not healthy: there is no Deployment {APP} in {pod.namespace}" in answer.first_line
    assert f'deployments.apps "{APP}" not found' in answer.text


async def test_a_pod_that_its_deployment_left_behind_is_a_warning(world: World, pod: AgentPod) -> None:
    pod.plane.call("DELETE", f"{pod.deployment_path}?propagationPolicy=Orphan")
    pod.until(lambda: pod.gone(pod.deployment_path))
    answer = await world.ask("status")
    assert "Healthy, with 1 warning: " in answer.first_line
    assert "nothing brings the pod back when it ends" in answer.first_line


async def test_a_paused_deployment_with_a_healthy_pod_is_healthy_and_shown_as_paused(
    world: World, pod: AgentPod
) -> None:
    pod.patch(pod.deployment_path, {"spec": {"paused": True}})
    assert HEALTHY in (await world.ask("status")).first_line
    assert "paused: a change or restart won't roll out until it is resumed" in (await world.ask("pods")).text


async def test_a_deployment_created_paused_has_no_pod(world: World, pod: AgentPod) -> None:
    pod.plane.call("DELETE", pod.deployment_path)
    pod.until(lambda: not pod.pods())
    pod.post_deployment(paused=True)
    answer = await comes_to_say(world, "is paused")
    assert f"Not healthy: no pod is running and Deployment {APP} is paused" in answer.first_line
    assert f"kubectl -n {pod.namespace} rollout resume deployment {APP}" in answer.text
