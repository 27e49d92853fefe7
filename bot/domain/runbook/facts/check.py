"""Another check's finding, in one line: so a comparison of several facts can be a proof."""

from __future__ import annotations

from typing import Any

from bot.domain.runbook.kind import FactKind, FactSettings
from bot.domain.runbook.record import Record


class CheckFact(FactSettings):
    """A check of the same runbook."""

    name: str
    """Its name."""

    def describe(self) -> str:
        """Which check."""
        return f"check {self.name}"


def values(record: Record) -> dict[str, Any]:
    """Return the verdict and the summary."""
    found: dict[str, Any] = {"lines": list(record.lines), "summary": record.lines[0] if record.lines else ""}
    if "verdict" in record.outcome:
        found["verdict"] = record.outcome["verdict"]
    return found


KIND = FactKind(
    "check",
    "Another check of the runbook: its verdict (ok, warn, fail, unknown) and what it says",
    CheckFact,
    {"verdict": "string", "summary": "string", "lines": "list(string)"},
    values,
    {"verdict": "fail"},
)
