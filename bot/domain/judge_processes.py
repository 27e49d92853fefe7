"""Which processes run in a container, and whether the expected ones are among them.

**The rule.** A bare process name must be the *program*: the first word of a command line (its last path
component, or a title such as ``sshd:``), or the script that an interpreter runs (``node /usr/bin/vibe-kanban``).
A regular expression from the settings is searched in the whole command line. Neither looks at:

- zombies (``<defunct>``) and kernel threads,
- tools that only mention a name: ps, grep, pgrep, editors, pagers, shells with ``-c`` … (``_TOOLS``),
- sshd's per-connection processes (``sshd: claude@pts/0``): they outlive a dead listener.

Wrappers (``sudo``, ``timeout 5`` …) are looked through first, so that ``sudo grep sshd`` is a grep.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.domain import words
from bot.domain.probes import Finding, Verdict
from bot.domain.target import ContainerSpec, ProcessRule

PROBE, TITLE = "processes", "Processes"


@dataclass(frozen=True)
class Process:
    """One line of a process list. ``elapsed`` is None where the list doesn't say."""

    pid: int
    user: str
    command: str
    elapsed: timedelta | None = None


@dataclass(frozen=True)
class Match:
    """An expected process and those found for it, the oldest first."""

    container: str
    name: str
    found: tuple[Process, ...]


_COMMAND_COLUMNS = ("CMD", "COMMAND", "ARGS")
_ELAPSED = re.compile(r"(?:(?:(?P<days>\d+)-)?(?P<hours>\d+):)?(?P<minutes>\d+):(?P<seconds>\d+)")


def parse_ps(text: str) -> list[Process]:
    """Read ``ps aux``, ``ps -eo pid,user,etime,args`` or anything with a header that names PID and COMMAND.

    Lines before the header and lines that don't fit are left out; without a header nothing is read.
    """
    lines = text.splitlines()
    for number, line in enumerate(lines):
        columns = line.upper().split()
        if "PID" in columns and columns[-1] in _COMMAND_COLUMNS:
            parsed = (_process(columns, row) for row in lines[number + 1 :])
            return [p for p in parsed if p is not None]
    return []


def _process(columns: Sequence[str], line: str) -> Process | None:
    cells = line.split(None, len(columns) - 1)
    if len(cells) < len(columns):
        return None
    row = dict(zip(columns, cells, strict=True))
    if not row["PID"].isdigit():
        return None
    user = row.get("USER") or row.get("UID") or "?"
    return Process(int(row["PID"]), user, cells[-1].strip(), parse_elapsed(row.get("ELAPSED", "")))


def parse_elapsed(text: str) -> timedelta | None:
    """Read ps's ``[[dd-]hh:]mm:ss``; None for anything else."""
    match = _ELAPSED.fullmatch(text)
    if match is None:
        return None
    return timedelta(**{unit: int(value) for unit, value in match.groupdict(default="0").items()})


_TOOLS = frozenset(
    [
        "ps",
        "grep",
        "egrep",
        "fgrep",
        "zgrep",
        "rg",
        "ag",
        "ack",
        "pgrep",
        "pkill",
        "pidof",
        "pidwait",
        "killall",
        "kill",
        "top",
        "htop",
        "btop",
        "watch",
        "tail",
        "head",
        "less",
        "more",
        "cat",
        "bat",
        "tac",
        "vi",
        "vim",
        "nvim",
        "view",
        "nano",
        "pico",
        "emacs",
        "emacsclient",
        "ed",
        "code",
        "micro",
        "sed",
        "awk",
        "gawk",
        "mawk",
        "xargs",
        "find",
        "ls",
        "stat",
        "du",
        "strace",
        "ltrace",
        "gdb",
        "lsof",
        "fuser",
        "which",
        "whereis",
        "whatis",
        "type",
        "man",
        "info",
        "tee",
        "echo",
        "printf",
        "diff",
        "cmp",
        "cp",
        "mv",
        "rm",
        "chmod",
        "chown",
        "ssh",
        "scp",
        "rsync",
        "sftp",
        "git",
        "kubectl",
        "curl",
        "wget",
        "systemctl",
        "service",
        "journalctl",
        "su",
        "login",
        "screen",
        "tmux",
    ]
)
_SHELLS = frozenset(["sh", "bash", "dash", "ash", "zsh", "busybox"])
_INTERPRETERS = _SHELLS | frozenset(
    ["node", "nodejs", "bun", "deno", "npx", "python", "python3", "perl", "ruby", "java"]
)
_WRAPPERS = frozenset(
    ["sudo", "doas", "env", "nice", "ionice", "nohup", "setsid", "timeout", "stdbuf", "time", "exec", "command"]
)
_SSHD_CONNECTION = re.compile(r"sshd(?:-session|-auth)?: (?!/|\[listener\])")


def matches(rule: ProcessRule, command: str) -> bool:
    """Whether a command line is the expected process, by the rule in this module's docstring."""
    if command.endswith("<defunct>") or command.startswith("[") or _SSHD_CONNECTION.match(command):
        return False
    args = _unwrapped(command.split())
    if not args or _only_mentions(args):
        return False
    found = re.compile(rule.match)
    if rule.match != ProcessRule.named(rule.name).match:
        return found.search(command) is not None
    return any(found.search(word) for word in _program(args))


def _base(word: str) -> str:
    return word.rsplit("/", 1)[-1]


def _unwrapped(args: list[str]) -> list[str]:
    """Without ``sudo``, ``timeout 5``, ``env A=b`` and the like in front."""
    while args and _base(args[0]) in _WRAPPERS:
        args = args[1:]
        while args and (args[0].startswith("-") or "=" in args[0] or args[0].rstrip("smhd").isdigit()):
            args = args[1:]
    return args


def _only_mentions(args: Sequence[str]) -> bool:
    program = _base(args[0]).lstrip("-")
    return program in _TOOLS or (
        program in _SHELLS and len(args) > 1 and args[1].startswith("-") and "c" in args[1]
    )


def _program(args: Sequence[str]) -> list[str]:
    """The words that say what runs: the program, and the script if the program is an interpreter."""
    name = re.sub(r"[\d.]+$", "", _base(args[0])) or args[0]
    if name not in _INTERPRETERS and _base(args[0]) not in _INTERPRETERS:
        return [args[0]]
    script = next((word for word in args[1:] if not word.startswith("-")), None)
    return [args[0], script] if script else [args[0]]


def find_expected(spec: ContainerSpec, processes: Sequence[Process]) -> list[Match]:
    """Each process that the container's settings expect, with what was found for it."""
    return [
        Match(
            spec.name,
            rule.name,
            tuple(sorted((p for p in processes if matches(rule, p.command)), key=_oldest_first)),
        )
        for rule in spec.processes
    ]


def _oldest_first(process: Process) -> tuple[float, int]:
    return (-process.elapsed.total_seconds() if process.elapsed else 0.0, process.pid)


def describe(match: Match, several_containers: bool = False) -> str:
    """One line: ``sshd: pid 61, for 6 h 51 min``."""
    where = f" in {match.container}" if several_containers else ""
    if not match.found:
        return f"{match.name}{where}: not found"
    first = match.found[0]
    since = f", for {words.age(first.elapsed)}" if first.elapsed is not None else ""
    more = f" (and {len(match.found) - 1} more)" if len(match.found) > 1 else ""
    return f"{match.name}{where}: pid {first.pid}{since}{more}"


HANDBOOK_MISSING = (
    "When one of its main processes ends, the pod restarts by itself (wait -n): check the restart count and the "
    "log. If it doesn't come back, restart the pod."
)


def judge_processes(
    found: Sequence[Match], missing_containers: Sequence[tuple[str, Sequence[str]]] = ()
) -> Finding:
    """Fails when an expected process is missing, or its container is not in the pod.

    ``missing_containers`` holds each absent container's name with the names that do exist.
    """
    several = len({m.container for m in found} | {name for name, _ in missing_containers}) > 1
    absent = [m for m in found if not m.found]
    evidence = tuple(describe(m, several) for m in sorted(found, key=lambda m: bool(m.found)))
    if missing_containers:
        return container_missing(PROBE, TITLE, missing_containers, evidence)
    if absent:
        names = [f"{m.name} in {m.container}" if several else m.name for m in absent]
        verb = "is" if len(names) == 1 else "are"
        summary = f"{words.listed(names)} {verb} not running"
        return Finding(
            PROBE, TITLE, Verdict.FAIL, summary, evidence, HANDBOOK_MISSING, "/agentpod logs --tail 200"
        )
    if not found:
        return Finding(PROBE, TITLE, Verdict.OK, "no processes are expected by the settings")
    verb = "runs" if len(found) == 1 else "run"
    names = list(dict.fromkeys(m.name for m in found))
    return Finding(PROBE, TITLE, Verdict.OK, f"{words.listed(names)} {verb}", evidence)


def container_missing(
    probe: str, title: str, missing: Sequence[tuple[str, Sequence[str]]], evidence: tuple[str, ...] = ()
) -> Finding:
    """The finding for a configured container that the pod doesn't have, naming those it has."""
    name, existing = missing[0]
    has = words.listed(list(existing)) if existing else "none"
    return Finding(
        probe,
        title,
        Verdict.FAIL,
        f"the pod has no container {name}",
        (f"it has {has}", *evidence),
        "Check the container's name in the settings (target.containers) against the Deployment.",
        "/agentpod pods",
    )
