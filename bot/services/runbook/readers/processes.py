"""Lists the processes of a container."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.core.target import ContainerTarget
from bot.domain.runbook.facts.processes import Processes, with_expected
from bot.domain.runbook.record import Record
from bot.services import container_exec
from bot.services.health import rights
from bot.services.health.reads import Reads, running_container
from bot.services.health.sources import EXEC, Blocked
from bot.services.runbook.fact_reader import FactReader, container_name
from bot.services.runbook.readers.exec import as_record, first_line


async def read(reads: Reads, settings: Processes) -> Record:
    """List the processes, by whatever the image offers for that."""
    pod = await reads.pod()
    name = container_name(reads.target, settings.container)
    if running_container(pod, ContainerTarget(name=name)) is None:
        raise Blocked("pod", f"the pod has no container {name}")
    found = as_record(await container_exec.processes(reads.ctx.cluster, pod.name, name))
    return replace(found, lines=tuple(map(_marked, found.lines)))


def _marked(line: str) -> str:
    """A line that may have been cut, with the mark by which redaction sees that a value may be."""
    return line if len(line) < container_exec.COLUMNS else f"{line}…"


READER = FactReader(
    "processes",
    EXEC,
    read,
    lambda _target, _settings: (*rights.POD_READ, *rights.EXEC),
    lambda settings, record: with_expected(first_line(record), settings.expect),
)
