"""A restart of one container on the real API server, with the shipped rights: one command, and its count."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.slack import seed
from tests.controlplane.agent_pod import AgentPod, usual_answers
from tests.controlplane.watching import watching
from tests.scenarios.repairs import asked


def kubelet_restarts(pod: AgentPod) -> None:
    """Raise the container's restart count, as the kubelet does once it has started it again."""
    now = pod.pod()
    status = now["status"]["containerStatuses"][0]
    status["restartCount"] += 1
    path = f"{pod.path}/pods/{now['metadata']['name']}/status"
    pod.patch(path, {"status": {"containerStatuses": [status]}})


@pytest.mark.parametrize("code", [0, 1])
async def test_an_approved_restart_is_sent_with_the_shipped_rights_and_judged_by_the_restart_count(
    agent_pod: AgentPod, code: int
) -> None:
    agent_pod.answers(
        {**usual_answers(), "kill 1": {"code": code, "err": "kill: not permitted\n" if code else ""}}
    )
    uid = agent_pod.pod()["metadata"]["uid"]
    async with watching(agent_pod) as world:
        repair = await asked(world, "restart --container kali --reason try")
        assert "Ends the main process of kali" in repair.card.all_text()
        await repair.click(seed.JONAS)
        if code:
            done = await repair.shows(f"🔴 Restart of kali in {agent_pod.namespace} failed")
            assert "ended with exit code 1, and kali was not restarted" in done.all_text()
            assert "not permitted" in done.all_text()
        else:
            await world.says("audit --tail 20", "step 1 ended with exit code 0")
            await asyncio.to_thread(kubelet_restarts, agent_pod)
            done = await repair.shows(f"✅ Restarted kali in {agent_pod.namespace}")
            assert "0 → 1" in done.all_text()
    assert agent_pod.pod()["metadata"]["uid"] == uid
