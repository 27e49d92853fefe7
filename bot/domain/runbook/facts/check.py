"""Another check's finding, in one line: so a comparison of several facts can be a proof."""

from __future__ import annotations

from typing import Any

from bot.domain.runbook.kind import Asked, FactKind, FactSettings, Unreadable
from bot.domain.runbook.record import Record

VERDICTS = ("ok", "warn", "fail", "unknown")


class CheckFact(FactSettings):
    """A check of the same runbook."""

    name: str
    """Its name."""

    def describe(self) -> str:
        """Which check."""
        return f"check {self.name}"


def values(record: Record) -> dict[str, Any]:
    """Return the verdict, and the summary's line; as ``failed`` that line where the check fails.

    A line that is read begins with its verdict, so that there is one line to cite; a recorded one may have it
    beside its text. A check that is unknown gives nothing, so that a cause that needs it stays open. An expression
    that compares the verdict with "unknown" gets it all the same.
    """
    line = record.lines[0] if record.lines else ""
    start = line.partition(": ")[0]
    verdict = record.outcome.get("verdict") or (start if start in VERDICTS else "fail")
    found: dict[str, Any] = {"lines": list(record.lines), "summary": line}
    if line:
        found["verdict"] = verdict
    if verdict == "unknown":
        why = line.removeprefix("unknown: ") or "the check gives no answer"
        raise Unreadable(why, whole=True, asked=found, asked_by=(Asked("verdict", ("unknown",)),))
    found["failed"] = list(record.lines[:1]) if verdict in ("warn", "fail") else []
    return found


KIND = FactKind(
    "check",
    "Another check of the runbook: its verdict (ok, warn, fail, unknown) and what it says, as a line `warn: …`",
    CheckFact,
    {"verdict": "string", "summary": "string", "failed": "list(string)", "lines": "list(string)"},
    values,
    outcome=("verdict",),
)
