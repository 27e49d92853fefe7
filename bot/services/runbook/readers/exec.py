"""Runs a command in a container."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.core.target import ContainerTarget
from bot.domain.core.workload import ExecResult
from bot.domain.runbook.facts.exec import Exec
from bot.domain.runbook.record import Record, text_of
from bot.services.health import rights
from bot.services.health.reads import Reads, running_container
from bot.services.health.sources import EXEC, Blocked
from bot.services.runbook.fact_reader import FactReader, container_name


async def read(reads: Reads, settings: Exec) -> Record:
    """Run the command in the pod's container."""
    pod = await reads.pod()
    name = container_name(reads.target, settings.container)
    if running_container(pod, ContainerTarget(name=name)) is None:
        raise Blocked("pod", f"the pod has no container {name}")
    seconds = settings.timeout.total_seconds() if settings.timeout is not None else None
    return as_record(await reads.ctx.cluster.exec(pod.name, name, settings.command, seconds=seconds))


def as_record(result: ExecResult) -> Record:
    """Return the output's lines; the exit code, and what was printed on standard error.

    Without an exit code the command did not end, so there may be more than was read.
    """
    outcome = {} if result.exit_code is None else {"exit_code": str(result.exit_code)}
    if result.stderr.strip():
        outcome["stderr"] = result.stderr.strip()
    lines, binary = text_of(result.stdout)
    return Record(
        "exec",
        lines,
        outcome | binary,
        truncated=result.truncated or result.exit_code is None,
    )


def first_line(record: Record) -> Record:
    """Keep the first line of standard error."""
    stderr = record.outcome.get("stderr")
    return (
        record if stderr is None else replace(record, outcome={**record.outcome, "stderr": stderr.split("\n")[0]})
    )


READER = FactReader(
    "exec",
    EXEC,
    read,
    lambda _target, _settings: (*rights.POD_READ, *rights.EXEC),
    lambda _settings, record: first_line(record),
)
