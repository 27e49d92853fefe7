"""The processes of a container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator

from bot.domain.core.target import ProcessRule, Regex
from bot.domain.health import judge_processes
from bot.domain.runbook.facts import exec
from bot.domain.runbook.kind import OWN, Doubt, FactKind, FactSettings, Unreadable
from bot.domain.runbook.record import BINARY, Record

NOT_RUNNING = "not running"
_OUTCOME = ("exit_code", "stderr", BINARY)


class Processes(FactSettings):
    """Whose processes."""

    container: str = ""
    """Empty: the target's first container."""
    expect: Mapping[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$", max_length=60)], Regex] = Field(
        default_factory=dict, max_length=30
    )
    """Names, each with a pattern of RE2 for the command line of its process. The name itself as pattern: the
    program that is called so, not a command that only mentions it."""

    @field_validator("expect")
    @classmethod
    def _free(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        """Refuse names of what comes with a list anyway: a test could not tell them apart."""
        for name in value:
            if name in (*_OUTCOME, *OWN):
                raise ValueError(f"no process can be called {name!r} here: that comes with each list")
        return value

    def doubt(self, record: Record) -> Doubt | None:
        """A list that was not finished may lack processes."""
        failed = record.outcome.get("exit_code", "0") != "0"
        return Doubt(exec.ended("the list of processes", record)) if failed else None

    def describe(self) -> str:
        """Whose processes they are."""
        return "processes" + (f" of {self.container}" if self.container else "")


def values(record: Record) -> dict[str, Any]:
    """Return a map for each process: ``pid``, ``user``, ``command``, ``defunct``, ``elapsed`` in seconds
    (where it is known).

    Raises `Unreadable` for text that is no list of processes.
    """
    found = judge_processes.parse_ps("\n".join(record.lines))
    states = {name: state for name, state in record.outcome.items() if _is_state(state)}
    if not found and not states:
        raise Unreadable(judge_processes.NO_LIST)
    return {
        "processes": [_as_map(one) for one in found],
        "running": {name: state != NOT_RUNNING for name, state in states.items()},
        "states": states,
        "lines": list(record.lines),
    }


def with_expected(record: Record, expect: Mapping[str, str]) -> Record:
    """Add a line for each expected process, such as ``sshd: not running``: so that what is absent can be cited.

    In a truncated list what was not found is not known.
    """
    found = judge_processes.parse_ps("\n".join(record.lines))
    if not found:
        return record
    states = {}
    for name, pattern in expect.items():
        rule = ProcessRule.named(name) if pattern == name else ProcessRule(name=name, match=pattern)
        match = next((one for one in found if judge_processes.matches(rule, one.command)), None)
        if match is not None:
            states[name] = f"running (pid {match.pid})"
        elif not record.truncated:
            states[name] = NOT_RUNNING
    return replace(record, outcome={**record.outcome, **states})


def _is_state(text: str) -> bool:
    return text == NOT_RUNNING or text.startswith("running (pid ")


def _as_map(process: judge_processes.Process) -> dict[str, Any]:
    made: dict[str, Any] = {"pid": process.pid, "user": process.user, "command": process.command}
    made["defunct"] = process.command.rstrip().endswith("<defunct>")
    if process.elapsed is not None:
        made["elapsed"] = int(process.elapsed.total_seconds())
    return made


KIND = FactKind(
    "processes",
    "The processes of a container",
    Processes,
    {
        "processes": "list(dyn)",
        "running": "map(string, dyn)",
        "states": "map(string, dyn)",
        "lines": "list(string)",
    },
    values,
    rows=("processes",),
    outcome=_OUTCOME,
)
