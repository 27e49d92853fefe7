"""A Secret without its values: its keys, when its data changed, and who manages it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from bot.domain.runbook.facts.address import Name
from bot.domain.runbook.kind import Doubt, FactKind, FactSettings
from bot.domain.runbook.record import Record

_KEY = re.compile(r"key (\S+): (\d+) bytes")
_TIME = re.compile(r"(changed|unchanged since|created): (\S+)")


class SecretFact(FactSettings):
    """A Secret of the target's namespace."""

    name: Name
    """The Secret's name."""

    def doubt(self, record: Record) -> Doubt | None:
        """One that is absent has neither what it should nor what it should not."""
        absent = record.outcome.get("exists", "true") != "true"
        return Doubt(f"there is no Secret {self.name}", ("exists",)) if absent else None

    def unsaid(self, variable: str) -> str:
        """A write may have changed a value or not."""
        times = ("changed", "unchanged_since")
        return f"{self.describe()}: whether a value changed is not known" if variable in times else ""

    def describe(self) -> str:
        """What is read."""
        return f"Secret {self.name}"


def values(record: Record) -> dict[str, Any]:
    """Return ``exists``, the keys, the times, and the manager.

    ``changed`` is when a value is known to have changed. Where only a write is known, ``unchanged_since`` alone
    says when that was: it may have left the values as they were.
    """
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
            found[match[1].replace(" ", "_")] = datetime.fromisoformat(match[2])
    if "changed" in found:
        found.setdefault("unchanged_since", found["changed"])
    return found


KIND = FactKind(
    "secret",
    "A Secret's keys, when its data changed, and its manager; never a value",
    SecretFact,
    {
        "exists": "bool",
        "keys": "list(string)",
        "changed": "timestamp",
        "unchanged_since": "timestamp",
        "created": "timestamp",
        "managed_by": "string",
        "lines": "list(string)",
    },
    values,
    {"exists": "true"},
    ("exists",),
)
