"""Reads a Service and the endpoints behind it."""

from __future__ import annotations

from bot.domain.core.workload import Right
from bot.domain.runbook.facts.service import ServiceFact
from bot.domain.runbook.record import Record
from bot.services.health.reads import Reads
from bot.services.health.sources import API
from bot.services.runbook.fact_reader import FactReader


async def read(reads: Reads, settings: ServiceFact) -> Record:
    """Read addresses, ports and endpoints. A Service that is absent is a fact, not an error."""
    found = next((s for s in await reads.services() if s.name == settings.name), None)
    if found is None:
        return Record("service", (), {"exists": "false"})
    behind = [e for e in await reads.endpoints() if e.service == settings.name]
    lines = [f"type: {found.type}"]
    lines += [f"address: {address}" for address in (*found.ingress, *found.external_ips)]
    lines += [f"port: {port.port}/{port.protocol}" for port in found.ports]
    lines += [f"{'ready endpoint' if e.ready else 'endpoint not ready'}: {e.address}" for e in behind]
    waiting = found.type == "LoadBalancer" and not found.ingress
    absent = {"assigned": "no address"} if waiting else {}
    absent |= {} if behind else {"endpoints": "none"}
    return Record("service", tuple(lines), {"exists": "true", **absent})


READER = FactReader(
    "service",
    API,
    read,
    lambda _target, _settings: (Right("list", "services"), Right("list", "endpointslices", "discovery.k8s.io")),
)
