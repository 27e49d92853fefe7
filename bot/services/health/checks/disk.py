"""The home's file system has room."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.core.probes import Finding
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.health import judge_storage
from bot.domain.health.judge_storage import DiskUse
from bot.services import container_exec
from bot.services.health import rights
from bot.services.health.check import Check
from bot.services.health.reads import Reads, running_container
from bot.services.health.sources import EXEC, Blocked


class DiskCheck(Check):
    """Judges what ``df`` says of the home."""

    id, title, about = "disk", "Disk", "the disk"
    steps = (("Storage", "storage"),)

    disk: DiskUse | None = None
    inodes: DiskUse | None = None
    """None where nothing is known of them."""

    async def run(self, reads: Reads) -> Finding:
        """Run ``df`` in the container that has the home and have its output judged."""
        pod, spec = await reads.pod(), reads.target.container()
        if running_container(pod, spec) is None:
            raise Blocked("pod", f"the pod has no container {spec.name}")
        reading = container_exec.disk(reads.ctx.cluster, pod.name, spec.name, spec.home)
        result, inodes = await reads.of(EXEC, reading)
        self.disk = judge_storage.parse_df(result.stdout, spec.home)
        self.brief = f"disk {self.disk.percent} %" if self.disk is not None else ""
        self.inodes = judge_storage.inodes_of(inodes, self.disk, spec.home)
        return judge_storage.judge_disk(spec.home, result, reads.target.storage, inodes)

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:  # noqa: ARG003 - the same of every target
        """The pod, and commands in it."""
        return (*rights.POD_READ, *rights.EXEC)
