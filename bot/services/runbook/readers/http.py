"""Reads a web server's answer, and metrics."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.runbook.facts.address import Served
from bot.domain.runbook.record import Record, text_of
from bot.errors import NotFound
from bot.services.health.reads import Reads
from bot.services.runbook.fact_reader import FactReader
from bot.services.runbook.readers.tcp import NETWORK

LIMIT = 2_000_000
"""Most bytes of a body."""


async def read(reads: Reads, settings: Served) -> Record:
    """GET the address."""
    answer = await reads.ctx.network.get(await _url(reads, settings), limit=LIMIT)
    text = answer.text
    if answer.truncated:  # half a secret in the line that is cut would not be recognised
        text = text.rpartition("\n")[0]
    lines, binary = text_of(text)
    return Record("http", lines, {"status": str(answer.status)} | binary, truncated=answer.truncated)


async def _url(reads: Reads, settings: Served) -> str:
    if settings.url is not None:
        return settings.url
    service = next((s for s in await reads.services() if s.name == settings.service), None)
    if service is None:
        raise NotFound(f"There is no Service {settings.service} in {reads.target.namespace}.")
    port = settings.port or next((p.port for p in service.ports), 80)
    host = next(iter(service.ingress), None) or service.cluster_ip or settings.service
    return f"http://{host}:{port}{settings.path}"


def _rights(_target: Target, settings: Served) -> Sequence[Right]:
    return () if settings.url is not None else (Right("list", "services"),)


HTTP = FactReader("http", NETWORK, read, _rights)
METRICS = FactReader("metrics", NETWORK, read, _rights)
