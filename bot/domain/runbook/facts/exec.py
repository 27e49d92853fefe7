"""What a command in a container prints."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from bot.domain.core import words
from bot.domain.runbook.kind import Asked, Doubt, FactKind, FactSettings, Unreadable
from bot.domain.runbook.record import BINARY, Record, not_text

Word = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00\n\r]*$")]


ExitCode = Annotated[int, Field(strict=True, ge=0, le=255)]


class Exec(FactSettings):
    """A command: its words, never a shell's line."""

    command: tuple[Word, ...] = Field(min_length=1, max_length=50)
    """The program and its arguments, each a word of the list."""
    container: str = ""
    """Empty: the target's first container."""
    ok: tuple[ExitCode, ...] = Field(default=(0,), min_length=1, max_length=20)
    """Ordinary exit codes. After any other, only an expression with `exit_code` has a value."""

    def doubt(self, record: Record) -> Doubt | None:
        """A command that failed has not printed what it was run for."""
        code = record.outcome.get("exit_code", "")
        if not code or code in map(str, self.ok):
            return None
        return Doubt(ended(self.command[0], record), ("exit_code",))

    def describe(self) -> str:
        """The command as it would be typed, and where it ran."""
        return f"`{' '.join(self.command)}`" + (f" in {self.container}" if self.container else "")


NOT_RUN = ("126", "127")
"""A shell's exit codes for a program that can't be started, and for one that isn't there (POSIX, XCU 2.8.2)."""
_NOT_FOUND = re.compile(r"[‘'\"]?([\w./+-]+)[’'\"]?: (?:command )?(?:not found|No such file|Permission denied)")
"""How shells, env and timeout name the program that they can't start."""
_ASKED = (Asked("no_program"), Asked("exit_code", (126, 127)))


def values(record: Record) -> dict[str, Any]:
    """Return the output as text and as lines, the exit code, and the first line of errors.

    Raises `Unreadable` for a program that could not be run: its output says nothing then, and neither does its
    exit code, except to an expression that asks for exactly that: it uses `no_program`, or compares `exit_code`
    with 126 or 127.
    """
    found: dict[str, Any] = {"stderr": record.outcome.get("stderr", ""), "no_program": False}
    if "exit_code" in record.outcome:
        found["exit_code"] = int(record.outcome["exit_code"])
    if record.outcome.get("exit_code") in NOT_RUN:
        asked = {**found, "no_program": True}
        raise Unreadable(not_run(record), whole=True, asked=asked, asked_by=_ASKED)
    if said := not_text(record.outcome):
        raise Unreadable(said, known=found)
    return {**found, "lines": list(record.lines), "stdout": "\n".join(record.lines)}


def ended(program: str, record: Record) -> str:
    """How a command failed: "dbcheck ended with exit code 1: FATAL: could not connect"."""
    said = record.outcome.get("stderr", "").strip()
    return f"{program} ended with exit code {record.outcome['exit_code']}" + (
        f": {words.cut(said, 200)}" if said else ""
    )


def not_run(record: Record) -> str:
    """Which program is missing, and where: "there is no curl in kali"."""
    command, _, container = record.source.strip("`").partition("` in ")
    named = _NOT_FOUND.search(record.outcome.get("stderr", ""))
    program = named[1] if named is not None else command.split(" ")[0] or "such program"
    where = container or "the container"
    missing = record.outcome["exit_code"] == "127"
    return f"there is no {program} in {where}" if missing else f"{program} can't be run in {where}"


KIND = FactKind(
    "exec",
    "What a command in a container prints, and its exit code",
    Exec,
    {"lines": "list(string)", "stdout": "string", "stderr": "string", "exit_code": "int", "no_program": "bool"},
    values,
    {"exit_code": "0"},
    ("exit_code", "stderr", BINARY),
)
