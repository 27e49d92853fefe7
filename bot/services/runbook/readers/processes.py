"""Lists the processes of a container."""

from __future__ import annotations

from bot.domain.core.target import ContainerTarget
from bot.domain.runbook.facts.processes import Processes, with_expected
from bot.domain.runbook.record import Record
from bot.services import container_exec
from bot.services.health import rights
from bot.services.health.reads import Reads, running_container
from bot.services.health.sources import EXEC, Blocked
from bot.services.runbook.fact_reader import FactReader, container_name
from bot.services.runbook.readers.exec import as_record


async def read(reads: Reads, settings: Processes) -> Record:
    """List the processes, by whatever the image offers for that."""
    pod = await reads.pod()
    name = container_name(reads.target, settings.container)
    if running_container(pod, ContainerTarget(name=name)) is None:
        raise Blocked("pod", f"the pod has no container {name}")
    record = as_record(await container_exec.processes(reads.ctx.cluster, pod.name, name))
    return with_expected(record, settings.expect)


READER = FactReader("processes", EXEC, read, lambda _target, _settings: (*rights.POD_READ, *rights.EXEC))
