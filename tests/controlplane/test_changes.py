"""Changes that a real API server refuses: based on an outdated object, without the right, against a policy."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.adapters.kubernetes import KubernetesCluster
from bot.errors import Conflict, Denied, NotAllowed, NotFound
from tests.controlplane.agent_pod import APP, AgentPod, Object
from tests.controlplane.settled import change_now
from tests.controlplane.watching import port

REQUEST = "agentpod.test/request"
SELECTOR = f"app={APP}"


@pytest.fixture
async def cluster(agent_pod: AgentPod) -> AsyncIterator[KubernetesCluster]:
    """The port with the bot's token and the rights to restart and delete."""
    agent_pod.allow("patch", "deployments", "apps")
    agent_pod.allow("delete", "pods")
    async with port(agent_pod.kubeconfig(), agent_pod.namespace) as found:
        yield found


def template_of(pod: AgentPod) -> Object:
    """The Deployment's pod template."""
    return dict(pod.plane.call("GET", pod.deployment_path)["spec"]["template"])


async def test_a_restart_of_a_changed_deployment_is_a_conflict_without_effect(
    agent_pod: AgentPod, cluster: KubernetesCluster
) -> None:
    seen = await cluster.deployment(APP)
    agent_pod.patch(agent_pod.deployment_path, {"metadata": {"labels": {"controlplane.test/changed": "yes"}}})
    before, pod = template_of(agent_pod), agent_pod.pod()["metadata"]["uid"]
    with pytest.raises(Conflict, match="It changed meanwhile, so nothing was done") as caught:
        await cluster.restart(seen, {REQUEST: "r-1"})
    assert "the object has been modified" in caught.value.message
    assert template_of(agent_pod) == before
    assert agent_pod.pod()["metadata"]["uid"] == pod

    now = await change_now(cluster, lambda seen: cluster.restart(seen, {REQUEST: "r-2"}))
    assert now.template_annotations[REQUEST] == "r-2"
    agent_pod.until(lambda: agent_pod.pod()["metadata"]["uid"] != pod)


async def test_a_deployment_recreated_under_the_same_name_is_a_conflict(
    agent_pod: AgentPod, cluster: KubernetesCluster
) -> None:
    seen = await cluster.deployment(APP)
    agent_pod.plane.call("DELETE", agent_pod.deployment_path)
    agent_pod.until(lambda: not agent_pod.pods())
    agent_pod.deploy()
    with pytest.raises(Conflict):
        await cluster.restart(seen, {REQUEST: "r-1"})
    assert REQUEST not in str(template_of(agent_pod))


async def test_a_deleted_deployment_can_not_be_restarted(agent_pod: AgentPod, cluster: KubernetesCluster) -> None:
    seen = await cluster.deployment(APP)
    agent_pod.plane.call("DELETE", agent_pod.deployment_path)
    agent_pod.until(lambda: agent_pod.gone(agent_pod.deployment_path))
    with pytest.raises(NotFound, match=f'deployments.apps "{APP}" not found'):
        await cluster.restart(seen, {REQUEST: "r-1"})


async def test_a_pod_that_was_replaced_is_not_deleted_in_place_of_the_old_one(
    agent_pod: AgentPod, cluster: KubernetesCluster
) -> None:
    [old] = await cluster.pods(SELECTOR)
    agent_pod.plane.call("DELETE", f"{agent_pod.path}/pods/{old.name}")
    agent_pod.until(lambda: agent_pod.pod()["metadata"]["uid"] != old.uid)
    with pytest.raises(NotFound):
        await cluster.delete_pod(old)
    body = {"metadata": {"name": old.name}, "spec": {"containers": [{"name": "other", "image": "other"}]}}
    agent_pod.plane.call("POST", f"{agent_pod.path}/pods", body)
    with pytest.raises(Conflict, match="precondition"):
        await cluster.delete_pod(old)
    assert not agent_pod.gone(f"{agent_pod.path}/pods/{old.name}")


async def test_a_restart_without_the_right_does_nothing_and_names_the_right(agent_pod: AgentPod) -> None:
    before = template_of(agent_pod)
    agent_pod.take_away("patch", "deployments", "apps", name=APP)
    async with port(agent_pod.kubeconfig(), agent_pod.namespace) as cluster:
        seen = await cluster.deployment(APP)
        with pytest.raises(NotAllowed, match=f'The bot may not patch deployments.apps "{APP}"') as caught:
            await cluster.restart(seen, {REQUEST: "r-1"})
    assert f"system:serviceaccount:{agent_pod.namespace}:agentpod" in str(caught.value.remedy)
    assert template_of(agent_pod) == before


@pytest.mark.parametrize("reason", ["Invalid", "Forbidden"])
async def test_a_policy_against_the_restart_is_quoted_and_not_called_a_missing_right(
    agent_pod: AgentPod, cluster: KubernetesCluster, reason: str
) -> None:
    words = "Restarts are frozen until Monday; ask Priya."
    before = template_of(agent_pod)
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"]}
    with agent_pod.policy(rule, words, reason), pytest.raises(Denied) as caught:
        await change_now(cluster, lambda seen: cluster.restart(seen, {REQUEST: "r-1"}))
    assert f"ValidatingAdmissionPolicy '{agent_pod.namespace}'" in caught.value.message
    assert words.rstrip(".") in caught.value.message
    assert "may not" not in caught.value.message
    assert template_of(agent_pod) == before
