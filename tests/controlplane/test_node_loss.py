"""A node whose kubelet has stopped: the pod is not ready although its container statuses still are."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.plane import NODE, Plane
from tests.controlplane.watching import HEALTHY, comes_to_say, watching
from tests.scenarios.lives import alerts
from tests.scenarios.talk import until, words

NODE_PATIENCE = 60.0
"""The most seconds until Kubernetes considers a silent node lost."""
RULES = {"poll": "1s", "pod_for": "1s", "keep_firing": "0s"}


def reported_ready(pod: AgentPod) -> bool:
    """Whether the pod is ready. Touches the pod, since kwok acts on changes only."""
    path = f"{pod.path}/pods/{pod.pod()['metadata']['name']}"
    pod.patch(path, {"metadata": {"annotations": {"controlplane.test/touched": datetime.now(UTC).isoformat()}}})
    return bool(pod.ready_pods())


async def test_a_pod_on_a_dead_node_is_not_ready_raises_an_incident_and_recovers_with_the_node(
    fragile_plane: Plane,
) -> None:
    pod = AgentPod(fragile_plane, "on-a-lost-node").create()
    pod.heal()
    lost = f"node {NODE} has stopped reporting"
    async with watching(pod, alerts=RULES) as world:
        assert HEALTHY in (await comes_to_say(world, HEALTHY)).first_line
        fragile_plane.end("kwok")
        await asyncio.to_thread(pod.until, lambda: not pod.ready_pods(), NODE_PATIENCE)
        [status] = pod.pod()["status"]["containerStatuses"]
        assert status["ready"], "the dead kubelet has left it as it was"

        answer = await world.ask("status")
        assert f"Not healthy: {lost}" in answer.first_line
        assert "Not checked because of it: Identity, Processes, Disk" in answer.text
        assert lost in (await world.ask("pods")).first_line
        await until(lambda: bool(alerts(world, lost)), lambda: words(alerts(world)))

        fragile_plane.mend()
        await asyncio.to_thread(pod.until, lambda: reported_ready(pod), NODE_PATIENCE)
        assert "1/1 ready" in (await comes_to_say(world, "1/1 ready", command="pods")).first_line
        await until(lambda: bool(alerts(world, "is well again")), lambda: words(alerts(world)))
