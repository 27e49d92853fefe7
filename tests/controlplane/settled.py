"""Changes of a Deployment whose controller may still write its status: of a pod that has just become ready."""

from collections.abc import Awaitable, Callable

from bot.domain.core.workload import Deployment
from bot.errors import Conflict
from bot.ports.cluster import Cluster
from tests.controlplane.agent_pod import APP

Change = Callable[[Deployment], Awaitable[Deployment]]


async def change_now(cluster: Cluster, change: Change) -> Deployment:
    """Make a change against the Deployment as it is now; read it again where it was written in between."""
    while True:
        seen = await cluster.deployment(APP)
        try:
            return await change(seen)
        except Conflict:
            continue
