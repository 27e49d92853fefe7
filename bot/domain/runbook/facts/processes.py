"""The processes of a container."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bot.domain.health import judge_processes
from bot.domain.runbook.duration import Duration
from bot.domain.runbook.kind import FactKind, FactSettings, Unreadable
from bot.domain.runbook.record import Record


class Processes(FactSettings):
    """Whose processes."""

    container: str = ""
    """Empty: the target's first container."""
    timeout: Duration = timedelta(seconds=3)

    def describe(self) -> str:
        """Whose processes they are."""
        return "processes" + (f" of {self.container}" if self.container else "")


def values(record: Record) -> dict[str, Any]:
    """Return a map for each process: ``pid``, ``user``, ``command``, ``defunct``, ``elapsed`` (where it is known).

    Raises `Unreadable` for text that is no list of processes.
    """
    found = judge_processes.parse_ps("\n".join(record.lines))
    if not found:
        raise Unreadable(judge_processes.NO_LIST)
    return {"processes": [_as_map(one) for one in found], "lines": list(record.lines)}


def _as_map(process: judge_processes.Process) -> dict[str, Any]:
    made: dict[str, Any] = {"pid": process.pid, "user": process.user, "command": process.command}
    made["defunct"] = process.command.rstrip().endswith("<defunct>")
    if process.elapsed is not None:
        made["elapsed"] = process.elapsed
    return made


KIND = FactKind(
    "processes",
    "The processes of a container",
    Processes,
    {"processes": "list(dyn)", "lines": "list(string)"},
    values,
)
