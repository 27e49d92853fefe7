"""Lines of a container's log."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from bot.domain.core.target import Duration, Regex
from bot.domain.runbook.kind import FactKind, FactSettings
from bot.domain.runbook.record import Record


class Log(FactSettings):
    """Which lines of a log."""

    container: str = ""
    """Empty: the target's first container."""
    failed: bool = False
    """Of the container that failed last, init containers included; where none did, of the target's first one."""
    previous: bool = False
    """The previous container's log, from before the last restart. With ``failed`` that of its last failure."""
    since: Duration | None = None
    """Only lines that are not older; not set: all."""
    grep: Regex = ""
    """A pattern of RE2 that lines must match; empty: all lines."""
    newest: Regex = ""
    """A pattern of RE2: of lines in which it matches the same text, such as a job, only the newest is kept."""
    tail: int = Field(default=1_000, ge=1, le=10_000)
    """So many lines from the end, before ``grep``."""

    @model_validator(mode="after")
    def _of_one(self) -> Self:
        if self.container and self.failed:
            raise ValueError("it is the log of a container or of the one that failed: leave one out")
        return self

    def describe(self) -> str:
        """Whose log it is."""
        whose = self.container or ("the container that failed" if self.failed else "")
        return ("previous log" if self.previous else "log") + (f" of {whose}" if whose else "")


def values(record: Record) -> dict[str, Any]:
    """Return the lines, and the container's name; empty where it is not known."""
    return {"lines": list(record.lines), "container": record.outcome.get("container", "")}


KIND = FactKind(
    "log",
    "Lines of a container's log",
    Log,
    {"lines": "list(string)", "container": "string"},
    values,
    outcome=("container",),
)
