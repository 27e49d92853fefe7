"""The egress repair on the real API server, with the rights of its option and under the admission policies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing

import pytest

from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.controlplane.admitted import Caller, admission
from tests.controlplane.agent_pod import APP, AgentPod, Object
from tests.controlplane.test_admission import BOOK, DRY, shipped
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World

EGRESS = {"restart_cilium": True}
PODS = "/api/v1/namespaces/kube-system/pods"
DAEMON_SETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"
CILIUM = {"k8s-app": "cilium"}


@pytest.fixture
def granted(agent_pod: AgentPod) -> Iterator[AgentPod]:
    """An agent pod with a Cilium policy, whose bot has the rights of the option and is held to the policies."""
    agent_pod.install_egress()
    made = []
    for document in shipped("cilium-repair/restart-cilium", "cilium-repair/replace-policy"):
        namespace = document["metadata"].pop("namespace")
        place = agent_pod.namespace if namespace == APP else namespace
        for subject in document.get("subjects", ()):
            subject["namespace"] = agent_pod.namespace
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{place}/{document['kind'].lower()}s"
        agent_pod.plane.call("POST", path, document)
        made.append(f"{path}/{document['metadata']['name']}")
    with admission(agent_pod, BOOK, egress=EGRESS):
        yield agent_pod
    for path in made:
        agent_pod.plane.call("DELETE", path)


def test_it_reaches_no_further_than_cilium(granted: AgentPod) -> None:
    labels = {"cilium-x": "cilium", "dns-x": "kube-dns"}
    for name, label in labels.items():
        spec = {"containers": [{"name": "x", "image": "x"}]}
        granted.plane.call("POST", PODS, {"metadata": {"name": name, "labels": {"k8s-app": label}}, "spec": spec})
    uids = {name: granted.plane.call("GET", f"{PODS}/{name}")["metadata"]["uid"] for name in labels}
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"]}
    by_uid = {name: {**body, "preconditions": {"uid": uid}} for name, uid in uids.items()}
    with closing(Caller(granted)) as caller:
        granted.until(lambda: caller.call("DELETE", f"{PODS}/cilium-x", by_uid["cilium-x"]).taken)
        assert caller.call("DELETE", f"{PODS}/cilium-x", body).refused
        assert caller.call("DELETE", f"{PODS}/dns-x", by_uid["dns-x"]).refused
        policies = f"/apis/cilium.io/v2/namespaces/{granted.namespace}/ciliumnetworkpolicies"
        kind = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "spec": {}}
        other = {**kind, "metadata": {"name": "allow-all"}}
        granted.until(lambda: caller.call("POST", f"{policies}?{DRY}", other).refused)
        assert caller.call("DELETE", f"{policies}/agent-egress?{DRY}").taken
        own = {**kind, "metadata": {"name": "agent-egress"}}
        assert caller.call("POST", f"{policies}?{DRY}", own).status == 409  # admission let it pass
    for name in labels:
        granted.plane.call("DELETE", f"{PODS}/{name}?gracePeriodSeconds=0")


@pytest.fixture
def cilium(granted: AgentPod) -> Iterator[AgentPod]:
    """The same, with a DaemonSet of Cilium agents, which starts them again."""
    spec = {
        "selector": {"matchLabels": CILIUM},
        "template": {
            "metadata": {"labels": CILIUM},
            "spec": {
                "containers": [{"name": "cilium-agent", "image": "x"}],
                "tolerations": [{"operator": "Exists"}],
            },
        },
    }
    granted.plane.call("POST", DAEMON_SETS, {"metadata": {"name": "cilium"}, "spec": spec})
    granted.until(lambda: bool(agents(granted)))
    yield granted
    granted.plane.call("DELETE", f"{DAEMON_SETS}/cilium")


def agents(pod: AgentPod) -> list[str]:
    """The uids of the agents on the pod's node that are ready."""
    node = pod.pod()["spec"]["nodeName"]
    found = pod.plane.call("GET", f"{PODS}?labelSelector=k8s-app%3Dcilium")["items"]
    return [one["metadata"]["uid"] for one in found if one["spec"].get("nodeName") == node and _ready(one)]


def _ready(pod: Object) -> bool:
    found = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in found)


def policy_path(pod: AgentPod) -> str:
    """The path of the pod's Cilium policy."""
    return f"/apis/cilium.io/v2/namespaces/{pod.namespace}/ciliumnetworkpolicies/agent-egress"


def judge(pod: AgentPod, valid: str, message: str) -> None:
    """Judge the policy, as Cilium does."""
    condition = {"type": "Valid", "status": valid, "message": message}
    pod.patch(policy_path(pod), {"status": {"conditions": [condition]}})


def sandbox_of(pod: AgentPod) -> Sandbox:
    """A sandbox whose bot works on the pod, with the repair switched on."""
    target = pod.where() | {"argocd": None, "egress": EGRESS}
    settings = {"probes": {"timeout": "15s"}}
    return Sandbox(rate_limits=False, kubeconfig=pod.kubeconfig(), target=target, settings=settings)


@pytest.mark.timeout(240)
async def test_an_approved_repair_replaces_agent_policy_and_pod(cilium: AgentPod) -> None:
    path = policy_path(cilium)
    judge(cilium, "False", "LRU not yet initialized")
    before, old, [agent] = cilium.plane.call("GET", path), cilium.pod()["metadata"]["uid"], agents(cilium)
    async with sandbox_of(cilium) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        repair = await asked(world, "egress repair --reason lru")
        await repair.click(seed.JONAS)
        await repair.shows("agent-egress was deleted and created again", patience=60)
        await asyncio.to_thread(judge, cilium, "True", "Policy validation succeeded")
        await repair.shows("✅ Repaired egress policy agent-egress", patience=60)
    now = cilium.plane.call("GET", path)
    assert now["metadata"]["uid"] != before["metadata"]["uid"]
    assert now["spec"] == before["spec"]
    assert cilium.pod()["metadata"]["uid"] != old
    assert agent not in agents(cilium)


@asynccontextmanager
async def frozen(pod: AgentPod) -> AsyncIterator[None]:
    """Somebody else's admission policy refuses to create Cilium policies."""
    rule = {"apiGroups": ["cilium.io"], "apiVersions": ["v2"], "operations": ["CREATE"]}
    policy = pod.policy(rule | {"resources": ["ciliumnetworkpolicies"]}, "network policies are frozen")
    await asyncio.to_thread(policy.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(policy.__exit__, None, None, None)


@pytest.mark.timeout(240)
async def test_a_policy_that_a_repair_left_missing_is_created_again(cilium: AgentPod) -> None:
    path = policy_path(cilium)
    judge(cilium, "False", "LRU not yet initialized")
    before, pod = cilium.plane.call("GET", path), cilium.pod()["metadata"]["uid"]
    async with sandbox_of(cilium) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        async with frozen(cilium):
            failed = await asked(world, "egress repair --reason lru")
            await failed.click(seed.JONAS)
            await failed.shows("agent-egress is MISSING and egress is open", patience=60)
            told = await world.ask("egress repair --reason missing")
            assert "network policies are frozen" in told.first_line  # by a dry run of the API server
        repair = await asked(world, "egress repair --reason missing")
        await repair.click(seed.JONAS)
        await repair.shows("agent-egress was created", patience=60)
        await asyncio.to_thread(judge, cilium, "True", "Policy validation succeeded")
        await repair.shows("✅ Created egress policy agent-egress", patience=60)
    now = cilium.plane.call("GET", path)
    assert now["metadata"]["uid"] != before["metadata"]["uid"]
    assert now["spec"] == before["spec"]
    assert cilium.pod()["metadata"]["uid"] == pod
