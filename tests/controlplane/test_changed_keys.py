"""ConfigMaps and deleted Secrets on the real API server, with the rights of the shipped option and no others."""

from __future__ import annotations

import pytest

from bot.domain.core.workload import Right
from sandbox.cluster import objects
from sandbox.environment import Sandbox
from tests.controlplane.agent_pod import APP, AgentPod
from tests.controlplane.test_admission import shipped
from tests.controlplane.watching import port
from tests.scenarios.talk import World, until
from tests.scenarios.test_changed_keys import after_restart, kept

MAP, SSH = objects.SETTINGS_MAP, objects.SSH_SECRET


@pytest.fixture
def granted(agent_pod: AgentPod) -> AgentPod:
    """An agent pod with the ConfigMap beside it, whose bot has the rights of the option."""
    for document in shipped("configmaps/role"):
        assert document["metadata"].pop("namespace") == APP
        for subject in document.get("subjects", ()):
            subject["namespace"] = agent_pod.namespace
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{agent_pod.namespace}/{document['kind'].lower()}s"
        agent_pod.plane.call("POST", path, document)
    return post(agent_pod, {"mode": "fast"})


def post(pod: AgentPod, data: dict[str, str]) -> AgentPod:
    """Make the ConfigMap."""
    pod.plane.call("POST", f"{pod.path}/configmaps", {"metadata": {"name": MAP}, "data": data})
    return pod


async def test_the_option_lets_the_bot_read_that_config_map_and_no_other(granted: AgentPod) -> None:
    async with port(granted.kubeconfig(), granted.namespace) as cluster:
        may = [Right("get", "configmaps", name=name) for name in (MAP, "kube-root-ca.crt")]
        assert [await cluster.can_i(right) for right in may] == [True, False]
        assert not await cluster.can_i(Right("list", "configmaps"))


@pytest.mark.timeout(240)
async def test_what_changes_is_deleted_and_comes_back_is_recorded(granted: AgentPod) -> None:
    target = granted.where() | {"argocd": None, "config_maps": [MAP]}
    settings = {"probes": {"timeout": "15s"}}
    mine, keys = f"{granted.path}/configmaps/{MAP}", f"{granted.path}/secrets/{SSH}"
    secret = granted.plane.call("GET", keys)
    async with Sandbox(
        rate_limits=False, kubeconfig=granted.kubeconfig(), target=target, settings=settings
    ) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await world.ask("changes")
        await until(lambda: len(kept(world)) == 3, lambda: f"{list(kept(world))} were compared")
        assert "missing right: " not in world.bot.output()
        granted.patch(mine, {"data": {"mode": "slow", "more": "x"}})
        await after_restart(world, f"ConfigMap {MAP}: value of mode changed, more new")
        for path in (mine, keys):
            granted.plane.call("DELETE", path)
        await after_restart(world, f"ConfigMap {MAP}: deleted", f"Secret {SSH}: deleted")
        post(granted, {"mode": "slow"})
        made = {"metadata": {"name": SSH}, "data": secret["data"]}
        granted.plane.call("POST", f"{granted.path}/secrets", made)
        await after_restart(world, f"ConfigMap {MAP}: created again: more gone", f"Secret {SSH}: created again")


@pytest.mark.timeout(240)
async def test_without_the_option_it_is_said_and_secrets_are_compared(agent_pod: AgentPod) -> None:
    post(agent_pod, {"mode": "fast"})
    target = agent_pod.where() | {"argocd": None, "config_maps": [MAP]}
    async with Sandbox(rate_limits=False, kubeconfig=agent_pod.kubeconfig(), target=target) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await world.ask("changes")
        await until(lambda: len(kept(world)) == 2, lambda: f"{list(kept(world))} were compared")
        await until(lambda: f'missing right: get configmaps "{MAP}"' in world.bot.output(), world.bot.output)
