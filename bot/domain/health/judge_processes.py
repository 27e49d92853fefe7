"""Parse a container's process list, and judge whether the expected processes run.

**The rule.** A bare process name must be the *program*: the first word of a command line (its last path
component, or a title such as ``sshd:``), or the script that an interpreter runs (``node /usr/bin/vibe-kanban``).
A regular expression from the settings is searched in the whole command line. Neither matches:

- zombies (``<defunct>``) and kernel threads,
- tools that only mention a name (ps, grep, pgrep, editors, pagers, shells with ``-c`` …), unless the rule has
  that tool's name,
- sshd's per-connection processes (``sshd: claude@pts/0``), which outlive a dead listener.

`bot.domain.health.command_line` finds the program of a command line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.domain.core import words
from bot.domain.core.bounds import bounded, number
from bot.domain.core.pattern import pattern
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import ContainerTarget, ProcessRule, Target
from bot.domain.core.workload import ExecResult
from bot.domain.health.command_line import Program, is_build, program

PROBE, TITLE = "processes", "Processes"


@dataclass(frozen=True)
class Process:
    """One line of a process list. ``elapsed`` is None where the list has no such column."""

    pid: int
    user: str
    command: str
    elapsed: timedelta | None = None


@dataclass(frozen=True)
class Match:
    """An expected process and the processes that match it, oldest first."""

    container: str
    name: str
    found: tuple[Process, ...]
    gone: timedelta | None = None
    """How long it is missing, where that is known."""


Name = tuple[str, str]
"""The container's name, and that of the process."""

_COMMAND_COLUMNS = ("CMD", "COMMAND", "ARGS")
_ELAPSED = re.compile(
    r"(?:(?:(?P<days>[0-9]{1,6})-)?(?P<hours>[0-9]{1,9}):)?(?P<minutes>[0-9]{1,9}):(?P<seconds>[0-9]{1,9})"
)
_HEADER_WITHIN = 50
"""Number of first lines in which the header must be; a greeting of the container may come before it."""


def parse_ps(text: str) -> list[Process]:
    """Parse ``ps aux``, ``ps -eo pid,user,etime,args`` or any list with a header that names PID and COMMAND.

    Lines before the header and malformed lines are skipped; without a header the result is empty. Only a line feed
    ends a line: a process could forge lines with other separators in its arguments.
    """
    lines = bounded(text).text.split("\n")
    number = _header(lines)
    if number is None:
        return []
    columns = lines[number].upper().split()
    parsed = (_process(columns, row) for row in lines[number + 1 :])
    return [p for p in parsed if p is not None]


def lists_processes(text: str) -> bool:
    """Whether the text is a process list: a header with at least one process below it."""
    lines = text.split("\n", _HEADER_WITHIN)
    number = _header(lines)
    return number is not None and bool(parse_ps("\n".join(lines[number : number + 20])))


def _header(lines: Sequence[str]) -> int | None:
    for at, line in enumerate(lines[:_HEADER_WITHIN]):
        columns = line[:1000].upper().split()
        if "PID" in columns and columns[-1] in _COMMAND_COLUMNS:
            return at
    return None


def _process(columns: Sequence[str], line: str) -> Process | None:
    cells = line.split(None, len(columns) - 1)
    if len(cells) < len(columns):
        return None
    row = dict(zip(columns, cells, strict=True))
    pid = number(row["PID"])
    if pid is None:
        return None
    user = row.get("USER") or row.get("UID") or "?"
    return Process(pid, user, cells[-1].strip(), parse_elapsed(row.get("ELAPSED", "")))


def parse_elapsed(text: str) -> timedelta | None:
    """Parse ps's ``[[dd-]hh:]mm:ss``; None for anything else."""
    match = _ELAPSED.fullmatch(text)
    if match is None:
        return None
    return timedelta(**{unit: int(value) for unit, value in match.groupdict(default="0").items()})


_SSHD_CONNECTION = re.compile(r"(?:\{[^}]*\} )?sshd(?:-session|-auth)?: (?!/|\[listener\])")

_COMM = 15
"""Length to which the kernel cuts a process's name, which busybox shows."""


def matches(rule: ProcessRule, command: str) -> bool:
    """Whether a command line matches an expected process, by the rule in this module's docstring."""
    return _is(rule, command, program(command))


def _is(rule: ProcessRule, command: str, runs: Program) -> bool:
    if not runs.names or _SSHD_CONNECTION.match(command):
        return False
    if rule.is_bare:
        return rule.name[:_COMM] in runs.names[-1:] or any(_called(rule.name, word) for word in runs.names)
    return (not runs.tool or runs.first == rule.name) and pattern(rule.match).found(command)


def _called(name: str, word: str) -> bool:
    """Whether a single word names the program: ``sshd``, ``/usr/sbin/sshd``, ``sshd:``."""
    path = f"/{word}"
    return path.endswith(f"/{name}") or f"/{name}:" in path or is_build(name, word)


def find_expected(spec: ContainerTarget, processes: Sequence[Process]) -> list[Match]:
    """Match each process that the container's settings expect against the process list."""
    found: list[list[Process]] = [[] for _ in spec.processes]
    for process in processes:
        runs = program(process.command)
        for rule, into in zip(spec.processes, found, strict=True):
            if _is(rule, process.command, runs):
                into.append(process)
    return [
        Match(spec.name, rule.name, tuple(sorted(those, key=_oldest_first)))
        for rule, those in zip(spec.processes, found, strict=True)
    ]


@dataclass(frozen=True)
class ProcessMatches:
    """The judgement of a container's process list. ``unknown`` says why some processes are in no match."""

    processes: tuple[Process, ...] = ()
    matches: tuple[Match, ...] = ()
    unknown: str = ""


NO_LIST = "no process list could be read"


def scan(spec: ContainerTarget, result: ExecResult) -> ProcessMatches:
    """Judge a container's process list. In a truncated list, expected processes that aren't found are unknown."""
    processes = tuple(parse_ps(result.stdout))
    if not processes:
        return ProcessMatches(unknown=NO_LIST)
    matches = find_expected(spec, processes)
    if not result.truncated:
        return ProcessMatches(processes, tuple(matches))
    absent = [m.name for m in matches if not m.found]
    count = words.plural(len(processes), "process", "processes")
    why = f"the process list is too long to be read whole (cut after {count})"
    unknown = f"{why}, so {words.listed(absent)} may run or not" if absent else ""
    return ProcessMatches(processes, tuple(m for m in matches if m.found), unknown)


def _oldest_first(process: Process) -> tuple[float, int]:
    return (-process.elapsed.total_seconds() if process.elapsed else 0.0, process.pid)


def describe(match: Match, several_containers: bool = False) -> str:
    """Describe a match in one line: ``sshd: pid 61, for 6 h 51 min``."""
    where = f" in {match.container}" if several_containers else ""
    if not match.found:
        since = f", for {words.age(match.gone)}" if match.gone is not None else ""
        return f"{match.name}{where}: not found{since}"
    first = match.found[0]
    since = f", for {words.age(first.elapsed)}" if first.elapsed is not None else ""
    more = f" (and {len(match.found) - 1} more)" if len(match.found) > 1 else ""
    return f"{match.name}{where}: pid {first.pid}{since}{more}"


def judge_processes(
    found: Sequence[Match], target: Target, missing_containers: Sequence[tuple[str, Sequence[str]]] = ()
) -> Finding:
    """Fail when an expected process is missing, or its container is not in the pod.

    ``missing_containers`` has the name of each absent container with the names of the existing ones.
    """
    several = len({m.container for m in found} | {name for name, _ in missing_containers}) > 1
    absent = [m for m in found if not m.found]
    evidence = tuple(describe(m, several) for m in sorted(found, key=lambda m: bool(m.found)))
    if missing_containers and not absent:
        return container_missing(PROBE, TITLE, missing_containers, evidence)
    evidence += tuple(f"{NO_CONTAINER} {name}" for name, _ in missing_containers)
    if absent:
        names = [f"{m.name} in {m.container}" if several else m.name for m in absent]
        verb = "is" if len(names) == 1 else "are"
        summary = f"{words.listed(names)} {verb} not running"
        remedy = target.remedies.process.after(max((m.gone for m in absent if m.gone), default=None))
        about = tuple(m.name for m in absent)
        run = "/agentpod logs --tail 200"
        return Finding(PROBE, TITLE, Verdict.FAIL, summary, evidence, remedy, run, about=about)
    if not found:
        return Finding(PROBE, TITLE, Verdict.OK, "no processes are expected by the settings")
    verb = "runs" if len(found) == 1 else "run"
    names = list(dict.fromkeys(m.name for m in found))
    return Finding(PROBE, TITLE, Verdict.OK, f"{words.listed(names)} {verb}", evidence)


NO_CONTAINER = "the pod has no container"


def container_missing(
    probe: str, title: str, missing: Sequence[tuple[str, Sequence[str]]], evidence: tuple[str, ...] = ()
) -> Finding:
    """The finding for a configured container that the pod doesn't have; it names the existing ones."""
    name, existing = missing[0]
    has = words.listed(list(existing)) if existing else "none"
    return Finding(
        probe,
        title,
        Verdict.FAIL,
        f"{NO_CONTAINER} {name}",
        (f"it has {has}", *evidence),
        "Make the names in targets[].containers those of the Deployment's pod template.",
        "/agentpod pods",
    )
