"""What a command in a container prints."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from bot.domain.runbook.kind import FactKind, FactSettings
from bot.domain.runbook.record import Record

Word = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00\n\r]*$")]


class Exec(FactSettings):
    """A command: its words, never a shell's line."""

    command: tuple[Word, ...] = Field(min_length=1, max_length=50)
    """The program and its arguments, each a word of the list."""
    container: str = ""
    """Empty: the target's first container."""

    def describe(self) -> str:
        """The command as it would be typed, and where it ran."""
        return f"`{' '.join(self.command)}`" + (f" in {self.container}" if self.container else "")


def values(record: Record) -> dict[str, Any]:
    """Return the output as text and as lines, the exit code, and the first line of errors."""
    found: dict[str, Any] = {"lines": list(record.lines), "stdout": "\n".join(record.lines)}
    found["stderr"] = record.outcome.get("stderr", "")
    if "exit_code" in record.outcome:
        found["exit_code"] = int(record.outcome["exit_code"])
    return found


KIND = FactKind(
    "exec",
    "What a command in a container prints, and its exit code",
    Exec,
    {"lines": "list(string)", "stdout": "string", "stderr": "string", "exit_code": "int"},
    values,
    {"exit_code": "0"},
)
