"""Runs a command in the target's first container, for commands that show files of the pod."""

from __future__ import annotations

from bot.domain.core.workload import ExecResult
from bot.services.health.reads import Reads, running_container
from bot.services.health.sources import EXEC, Blocked


async def in_first_container(reads: Reads, *argv: str) -> ExecResult:
    """Run a command in the target's first container. Raises `Blocked` and `SourceUnavailable`."""
    pod, first = await reads.pod(), reads.target.containers[0]
    if running_container(pod, first) is None:
        raise Blocked("pod", f"the pod has no container {first.name}")
    return await reads.of(EXEC, reads.ctx.cluster.exec(pod.name, first.name, argv))
