"""What admission refuses (quotas, limits, Pod Security, policies) is shown in the API server's own words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.watching import comes_to_say
from tests.scenarios.talk import Answer, World

pytestmark = pytest.mark.asyncio(loop_scope="module")
CLOSED = "The harbor is closed: nothing starts before the tide."
ENFORCE = "pod-security.kubernetes.io/enforce"


@pytest.fixture
def pod(shared_pod: AgentPod) -> Iterator[AgentPod]:
    """The pod; after each test whatever refuses pods is removed, and the Deployment is recreated."""
    yield shared_pod
    shared_pod.patch(f"/api/v1/namespaces/{shared_pod.namespace}", {"metadata": {"labels": {ENFORCE: None}}})
    for path in (f"{shared_pod.path}/resourcequotas", f"{shared_pod.path}/limitranges"):
        shared_pod.plane.call("DELETE", path)
    shared_pod.plane.call("DELETE", shared_pod.deployment_path)
    shared_pod.until(lambda: not shared_pod.pods())
    shared_pod.heal()


def end_pod(pod: AgentPod) -> None:
    """Delete the pod, so that a new one has to be created."""
    pod.plane.call("DELETE", f"{pod.path}/pods/{pod.pod()['metadata']['name']}")


def limit_pods(pod: AgentPod, name: str, count: int) -> None:
    """Add a ResourceQuota and wait until its usage is counted."""
    quotas = f"{pod.path}/resourcequotas"
    pod.plane.call("POST", quotas, {"metadata": {"name": name}, "spec": {"hard": {"pods": str(count)}}})
    pod.until(lambda: pod.plane.call("GET", f"{quotas}/{name}")["status"]["used"])


async def refused(world: World, *words: str) -> Answer:
    """Wait until `status` says that no pod can be created, and why."""
    return await comes_to_say(world, "Not healthy: no pod can be created: ", *words)


async def test_an_exceeded_quota_is_named_with_its_figures(world: World, pod: AgentPod) -> None:
    limit_pods(pod, "no-pods", 0)
    end_pod(pod)
    answer = await refused(world, "exceeded quota: no-pods, requested: pods=1, used: pods=", ", limited: pods=0")
    assert "exceeded quota: no-pods" in answer.first_line
    assert f"kubectl -n {pod.namespace} get resourcequota" in answer.text
    assert "FailedCreate" in answer.text
    assert "exceeded quota: no-pods" in (await world.ask("pods")).first_line

    pod.plane.call("DELETE", f"{pod.path}/resourcequotas/no-pods")
    pod.until(lambda: len(pod.ready_pods()) == 1)
    answer = await comes_to_say(world, "Healthy")
    # The refusals' events stay for an hour; the pod was created since.
    assert "FailedCreate" not in answer.text
    assert "FailedCreate" in (await world.ask("events")).text


async def test_a_scale_up_beyond_the_quota_is_a_warning_beside_a_ready_pod(world: World, pod: AgentPod) -> None:
    limit_pods(pod, "one-pod", 1)
    pod.patch(pod.deployment_path, {"spec": {"replicas": 2}})
    why = "exceeded quota: one-pod, requested: pods=1, used: pods=1, limited: pods=1"
    answer = await comes_to_say(world, "Healthy, with ", why)  # once the Services' endpoints include the pod
    assert "Healthy, with " in answer.first_line


async def test_pod_security_says_which_rule_the_template_breaks(world: World, pod: AgentPod) -> None:
    pod.patch(f"/api/v1/namespaces/{pod.namespace}", {"metadata": {"labels": {ENFORCE: "restricted"}}})
    pod.patch(pod.deployment_path, {"spec": {"template": {"spec": {"hostNetwork": True}}}})
    answer = await refused(world, 'violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true)')
    assert 'violates PodSecurity "restricted:latest"' in answer.first_line
    assert "Make the pod template meet the namespace's Pod Security level" in answer.text


async def test_a_limit_range_refusal_names_the_excess(world: World, pod: AgentPod) -> None:
    limits = [{"type": "Container", "max": {"memory": "1Mi"}}]
    pod.plane.call("POST", f"{pod.path}/limitranges", {"metadata": {"name": "small"}, "spec": {"limits": limits}})
    end_pod(pod)
    answer = await refused(world, "maximum memory usage per Container is 1Mi")
    assert "maximum memory usage per Container is 1Mi" in answer.first_line


async def test_a_policy_is_quoted_and_not_called_a_missing_right(world: World, pod: AgentPod) -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    with pod.policy(rule, CLOSED) as policy:
        end_pod(pod)
        answer = await refused(world, CLOSED.rstrip("."))
    assert f"ValidatingAdmissionPolicy '{policy}'" in answer.first_line
    egress = "the bot may not list ciliumnetworkpolicies.cilium.io"  # which this cluster does not have
    assert "may not" not in answer.text.replace(egress, "")


async def test_a_service_account_that_does_not_exist_is_named(world: World, pod: AgentPod) -> None:
    pod.patch(pod.deployment_path, {"spec": {"template": {"spec": {"serviceAccountName": "nobody"}}}})
    answer = await refused(world, 'serviceaccount "nobody" not found')
    assert "Create the ServiceAccount that the pod template names." in answer.text
