"""Reads a container's log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.domain.core.pattern import Pattern, pattern
from bot.domain.core.workload import Right
from bot.domain.health import pod_state
from bot.domain.runbook.facts.log import Log
from bot.domain.runbook.facts.pod import STEADY
from bot.domain.runbook.record import Record
from bot.errors import NotFound
from bot.services.health import rights
from bot.services.health.reads import Reads
from bot.services.health.sources import API
from bot.services.runbook.fact_reader import FactReader, container_name

LIMIT = 1_000_000
"""Most bytes of a log."""


async def read(reads: Reads, settings: Log) -> Record:
    """Read the log's end."""
    pod = await reads.pod()
    name, previous = container_name(reads.target, settings.container), settings.previous
    failed = pod_state.last_failed(pod, reads.ctx.clock.now() - STEADY) if settings.failed else None
    if failed is not None:  # one that ended and was not started again has no previous container yet
        name, previous = failed.name, previous and failed.state != "terminated"
    try:
        log = await reads.ctx.cluster.logs(
            pod.name, name, previous=previous, since=settings.since, tail=settings.tail, limit_bytes=LIMIT
        )
    except NotFound:
        container = pod.container(name)
        if not previous or container is None or container.restarts > 0:
            raise
        return Record("log", (), {"container": name})  # it has not ended since the pod was made
    more = settings.since is not None and len(log.lines) >= settings.tail  # there may be older ones in that time
    lines = log.lines[:-1] if log.truncated else log.lines  # half a secret in a line that is cut is not recognised
    return Record("log", lines, {"container": name}, truncated=log.truncated or more)


def _matching(settings: Log, record: Record) -> Record:
    """Keep the lines that match, and of those that ``newest`` has in common the newest."""
    lines = record.lines
    if settings.grep:
        lines = tuple(filter(pattern(settings.grep).found, lines))
    if settings.newest:
        lines = tuple(_newest(lines, pattern(settings.newest)))
    return replace(record, lines=lines)


def _newest(lines: Sequence[str], by: Pattern) -> Iterator[str]:
    """Yield the lines that no later one replaces, in their order; a line without a match is never replaced."""
    last = {by.first(line): number for number, line in enumerate(lines)}
    for number, line in enumerate(lines):
        if (what := by.first(line)) is None or last[what] == number:
            yield line


READER = FactReader(
    "log",
    API,
    read,
    lambda _target, _settings: (*rights.POD_READ, Right("get", "pods", subresource="log")),
    _matching,
)
