"""A Secret without its values: its keys, when its data changed, and who manages it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from bot.domain.runbook.facts.address import Name
from bot.domain.runbook.kind import Doubt, FactKind, FactSettings
from bot.domain.runbook.record import Record

_KEY = re.compile(r"key (\S+): (\d+) bytes")
_TIME = re.compile(r"(changed|created): (\S+)")


class SecretFact(FactSettings):
    """A Secret of the target's namespace."""

    name: Name
    """The Secret's name."""

    def doubt(self, record: Record) -> Doubt | None:
        """One that is absent has neither what it should nor what it should not."""
        absent = record.outcome.get("exists", "true") != "true"
        return Doubt(f"there is no Secret {self.name}", ("exists",)) if absent else None

    def describe(self) -> str:
        """What is read."""
        return f"Secret {self.name}"


def values(record: Record) -> dict[str, Any]:
    """Return ``exists``, the keys, ``changed`` (where it is known), and the manager."""
    found: dict[str, Any] = {
        "exists": record.outcome.get("exists", "true") == "true",
        "keys": [match[1] for line in record.lines if (match := _KEY.fullmatch(line))],
        "lines": list(record.lines),
        "managed_by": next(
            (line.partition(": ")[2] for line in record.lines if line.startswith("managed by: ")), ""
        ),
    }
    for line in record.lines:
        if match := _TIME.fullmatch(line):
            found[match[1]] = datetime.fromisoformat(match[2])
    return found


KIND = FactKind(
    "secret",
    "A Secret's keys, when its data changed, and its manager; never a value",
    SecretFact,
    {
        "exists": "bool",
        "keys": "list(string)",
        "changed": "timestamp",
        "created": "timestamp",
        "managed_by": "string",
        "lines": "list(string)",
    },
    values,
    {"exists": "true"},
)
