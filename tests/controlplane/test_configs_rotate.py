"""The rotation of the config files on the real API server, with its option's rights and under admission."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sandbox.encrypted_configs import EncryptedConfigs
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.controlplane.admitted import Caller, admission
from tests.controlplane.agent_pod import APP, AgentPod
from tests.controlplane.test_admission import BOOK, shipped
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World

SECRET = "agent-configs"


@pytest.fixture
def configs(agent_pod: AgentPod, tmp_path: Path) -> EncryptedConfigs:
    """The encrypted files, for the Secret in the agent pod's namespace."""
    found = EncryptedConfigs(tmp_path, agent_pod.namespace)
    found.start()
    return found


@pytest.fixture
def granted(agent_pod: AgentPod, configs: EncryptedConfigs) -> Iterator[AgentPod]:
    """An agent pod whose bot has the rights of the option and is held to the policies."""
    for document in shipped("configs-rotate/role"):
        assert document["metadata"].pop("namespace") == APP
        for subject in document.get("subjects", ()):
            subject["namespace"] = agent_pod.namespace
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{agent_pod.namespace}/{document['kind'].lower()}s"
        agent_pod.plane.call("POST", path, document)
    with admission(agent_pod, BOOK, configs_rotate=configs.settings):
        yield agent_pod


def test_it_changes_that_secrets_values_and_nothing_else(granted: AgentPod) -> None:
    mine = f"{granted.path}/secrets/{SECRET}"
    old = granted.plane.call("GET", mine)["data"]
    marks = {"annotations": {"agentpod.dev/approval": "r-22222222"}}
    change = {"metadata": marks, "data": {"a": "YQ==", "b": "YQ==", **dict.fromkeys(old)}}
    with closing(Caller(granted)) as caller:
        granted.until(lambda: caller.patch(mine, change).taken)
        assert caller.patch(mine, {"metadata": {"labels": {"a": "b"}}}).refused
        assert caller.patch(mine, {"metadata": {"annotations": {"other": "x"}}}).refused
        assert caller.patch(mine, {"immutable": True}).refused
        keys = f"{granted.path}/secrets/agent-ssh-keys"
        assert caller.patch(keys, {"data": {"a": "YQ==", "b": "YQ=="}}).refused
        assert caller.patch(keys, {"data": {"authorized_keys": None}}).refused
        assert caller.call("DELETE", f"{mine}?dryRun=All").status == 403


def test_without_the_setting_the_policies_refuse_it(agent_pod: AgentPod) -> None:
    agent_pod.allow("patch", "secrets")
    with admission(agent_pod, BOOK), closing(Caller(agent_pod)) as caller:
        body = {"data": {"kubeconfig": "YQ=="}}
        agent_pod.until(lambda: caller.patch(f"{agent_pod.path}/secrets/{SECRET}", body).refused)


@pytest.mark.timeout(240)
async def test_an_approved_rotation_changes_the_secret_by_one_patch(
    granted: AgentPod, configs: EncryptedConfigs
) -> None:
    path = f"{granted.path}/secrets/{SECRET}"
    configs.replace({"kubeconfig": "another: one\n", "sopsconfig": "x"})
    before = granted.plane.call("GET", path)
    target = granted.where() | {"argocd": None, "configs_rotate": configs.settings}
    settings = {"probes": {"timeout": "15s"}}
    async with Sandbox(
        rate_limits=False, kubeconfig=granted.kubeconfig(), target=target, settings=settings
    ) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        repair = await asked(world, "configs rotate --reason rotated")
        shown = repair.card.all_text()
        assert "REMOVED" in shown
        assert "talosconfig" in shown
        await repair.click(seed.JONAS)
        await repair.shows("✅ agent-configs has the values of the encrypted file", patience=60)
    now = granted.plane.call("GET", path)
    values = {key: base64.b64decode(value).decode() for key, value in now["data"].items()}
    assert values == {"kubeconfig": "another: one\n", "sopsconfig": "x"}
    assert now["metadata"]["annotations"]["agentpod.dev/approval"] == repair.id
    patches = [one for one in now["metadata"]["managedFields"] if one["manager"] == "agentpod"]
    assert len(patches) == 1
    assert now["metadata"]["uid"] == before["metadata"]["uid"]
