"""A Service: the addresses that it was given, and the endpoints behind it."""

from __future__ import annotations

from typing import Any

from bot.domain.runbook.facts.address import Name
from bot.domain.runbook.kind import Doubt, FactKind, FactSettings
from bot.domain.runbook.record import Record


class ServiceFact(FactSettings):
    """A Service of the target's namespace."""

    name: Name
    """The Service's name."""

    def doubt(self, record: Record) -> Doubt | None:
        """One that is absent has neither what it should nor what it should not."""
        absent = record.outcome.get("exists", "true") != "true"
        return Doubt(f"there is no Service {self.name}", ("exists",)) if absent else None

    def describe(self) -> str:
        """The kubectl line that shows it."""
        return f"`kubectl get service {self.name}`"


def values(record: Record) -> dict[str, Any]:
    """Return ``exists``, the type, addresses, ports (written ``22/TCP``) and endpoints.

    ``waiting``: it has no address of a load balancer yet; ``unserved``: no pod is behind it.
    """
    return {
        "exists": record.outcome.get("exists", "true") == "true",
        "waiting": "assigned" in record.outcome,
        "unserved": "endpoints" in record.outcome,
        "service_type": next(iter(_after(record, "type: ")), ""),
        "addresses": _after(record, "address: "),
        "ports": _after(record, "port: "),
        "ready": _after(record, "ready endpoint: "),
        "not_ready": _after(record, "endpoint not ready: "),
        "lines": list(record.lines),
    }


def _after(record: Record, start: str) -> list[str]:
    return [line.removeprefix(start) for line in record.lines if line.startswith(start)]


KIND = FactKind(
    "service",
    "A Service's load balancer addresses, ports and endpoints; for UDP, whether an address is assigned",
    ServiceFact,
    {
        "exists": "bool",
        "waiting": "bool",
        "unserved": "bool",
        "service_type": "string",
        "addresses": "list(string)",
        "ports": "list(string)",
        "ready": "list(string)",
        "not_ready": "list(string)",
        "lines": "list(string)",
    },
    values,
    {"exists": "true"},
    ("exists", "assigned", "endpoints"),
)
