"""A copy of the SSH keys on the real API server, with the shipped rights: the mount is found in the pod's spec."""

from __future__ import annotations

from sandbox.cluster.files import KEYS_FILE, MOUNTED_KEYS
from sandbox.cluster.objects import PUBLIC_KEY
from sandbox.slack import seed
from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.watching import watching
from tests.scenarios.repairs import asked


async def test_an_approved_copy_is_made_with_the_shipped_rights(agent_pod: AgentPod) -> None:
    old = PUBLIC_KEY.splitlines(keepends=True)[0]
    agent_pod.file(KEYS_FILE, old)
    agent_pod.file(MOUNTED_KEYS, PUBLIC_KEY)
    async with watching(agent_pod) as world:
        repair = await asked(world, "ssh keys copy --reason try")
        assert "Added" in repair.card.all_text()
        assert agent_pod.file(KEYS_FILE) == old
        await repair.click(seed.JONAS)
        await repair.shows(f"✅ SSH keys copied into {agent_pod.namespace}")
    assert agent_pod.file(KEYS_FILE) == PUBLIC_KEY
    copy = agent_pod.folder / "files" / KEYS_FILE.lstrip("/")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert not copy.with_name("authorized_keys.agentpod").exists()
