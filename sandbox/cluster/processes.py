"""The processes inside the simulated container, and ``ps`` in procps' formats."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

VIBE_KANBAN = "/home/claude/.vibe-kanban/bin/v0.1.37-20260918/linux-x64/vibe-kanban"
CLAUDE = "/home/claude/.local/share/claude/versions/2.1.114"
VSCODE = "/home/claude/.vscode-server/cli/servers/Stable-7adae6a56e34/server"
REQUIRED = ("sshd", "supercronic", "vibe-kanban")
"""The entrypoint's ``wait -n`` ends the container when one of these ends."""


@dataclass(frozen=True)
class Process:
    """One process. ``delay`` is the seconds between the container's start and its own; sizes are KiB."""

    pid: int
    ppid: int
    command: str
    delay: float = 0.0
    rss: int = 12_000
    vsz: int = 60_000
    cpu: float = 0.0
    state: str = "S"
    user: str = "claude"
    tty: str = "?"
    service: str = ""
    """The entry of :data:`REQUIRED` that it belongs to."""

    @property
    def name(self) -> str:
        """The program's name (``comm``), at most 15 characters."""
        first = self.command.split(" ", 1)[0].rstrip(":")
        return first.rsplit("/", 1)[-1][:15]


def usual(user: str = "claude") -> list[Process]:
    """The processes of a healthy pod: the three services, a Claude session and its dozens of children."""
    rows = [
        Process(1, 0, "/usr/bin/tini -- /entrypoint.sh", rss=1_280, vsz=2_624),
        Process(7, 1, "/bin/bash /entrypoint.sh", rss=3_520, vsz=4_608),
        _service("sshd", 61, "sshd: /usr/sbin/sshd -f /opt/sshd_config -D [listener] 0 of 10-100 startups", 7_600),
        _service("supercronic", 62, "supercronic /home/claude/.crontab", 15_300),
        _service("vibe-kanban", 63, "node /usr/bin/vibe-kanban", 68_200),
        Process(87, 7, "claude remote-control --name willikins", 5, 412_000, 33_900_000, 1.2, "Sl"),
        Process(101, 63, VIBE_KANBAN, 6, 143_000, 2_310_000, 0.4, "Sl", service="vibe-kanban"),
        Process(114, 87, f"{CLAUDE} --print --sdk-url wss://bridge.invalid", 8, 388_000, 33_700_000, 0.9, "Sl"),
    ]
    rows += [replace(row, user=user) for row in _children()]
    return [replace(row, user=user) for row in rows]


def sessions() -> list[Process]:
    """The processes of somebody who has signed in by SSH and works with claude."""
    return [
        Process(801, 61, "sshd: claude@pts/3", 60),
        Process(802, 801, "-bash", 60, tty="pts/3"),
        Process(810, 802, "claude --resume", 65, 371_000, 33_500_000, 2.1, "Sl+", tty="pts/3"),
    ]


def _service(name: str, pid: int, command: str, rss: int) -> Process:
    return Process(pid, 7, command, rss=rss, vsz=rss * 9, state="Sl" if name != "sshd" else "Ss", service=name)


def hostile(kind: str) -> list[Process]:
    """Hostile processes that any user can start: a huge argument list, or arguments that forge rows of output."""
    if kind == "arguments":
        return [Process(900 + n, 514, "./x " + "1 " * 60_000, 70) for n in range(7)]
    if kind == "digits":
        return [Process(900 + n, 514, "1" * 120_000, 70) for n in range(2)]
    if kind == "rows":
        return [
            Process(
                900,
                514,
                "./x a\n\u00b2 claude x\n99 claude sshd -D\u2028 98 claude sshd -D\x8597 claude sshd -D",
                70,
            )
        ]
    return []


def _children() -> Iterable[Process]:
    servers = (
        "@upstash/context7-mcp",
        "@playwright/mcp@latest",
        "@modelcontextprotocol/server-filesystem /home/claude/repos",
        "@modelcontextprotocol/server-memory",
        "mcp-server-kubernetes",
        "@modelcontextprotocol/server-github",
    )
    for index, server in enumerate(servers):
        yield Process(139 + index, 114, f"npm exec {server}", 8, 82_000, 1_120_000, 0.0, "Sl")
        yield Process(
            180 + 11 * index, 139 + index, f"node /home/claude/.npm/_npx/{index:04x}/{server}", 11, 74_000
        )
    yield Process(470, 61, "sshd: claude@notty", 20, 8_100, 17_400)
    yield Process(500, 470, f"{VSCODE}/node {VSCODE}/out/server-main.js --connection-token=remotessh", 21, 131_000)
    for index, worker in enumerate(("fileWatcher", "extensionHost", "ptyHost", "shared-process")):
        yield Process(512 + index, 500, f"{VSCODE}/node {VSCODE}/out/bootstrap-fork --type={worker}", 24, 96_000)
    for index in range(8):
        yield Process(560 + index, 514, "/bin/bash --init-file shellIntegration-bash.sh", 60 + index, 5_100)
    for index in range(10):
        yield Process(600 + index, 513, f"{VSCODE}/node /home/claude/ext/lsp-{index}/server.js --stdio", 40)


@dataclass(frozen=True)
class Table:
    """The processes at one moment."""

    processes: tuple[Process, ...]
    started: datetime
    now: datetime

    def elapsed(self, process: Process) -> int:
        """Seconds since the process began."""
        return max(0, int((self.now - self.started).total_seconds() - process.delay))


@dataclass(frozen=True)
class _Format:
    header: str
    width: int
    right: bool
    cell: Callable[[Table, Process], str]


def _etime(table: Table, process: Process) -> str:
    """``[[dd-]hh:]mm:ss``."""
    minutes, seconds = divmod(table.elapsed(process), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    text = f"{minutes:02}:{seconds:02}"
    if days or hours:
        text = f"{hours:02}:{text}"
    return f"{days}-{text}" if days else text


def _cpu_time(table: Table, process: Process) -> str:
    used = int(table.elapsed(process) * process.cpu / 100)
    return f"{used // 3600:02}:{used // 60 % 60:02}:{used % 60:02}"


def _bsd_time(table: Table, process: Process) -> str:
    used = int(table.elapsed(process) * process.cpu / 100)
    return f"{used // 60}:{used % 60:02}"


def _start(table: Table, process: Process) -> str:
    moment = table.now.timestamp() - table.elapsed(process)
    began = datetime.fromtimestamp(moment, tz=table.now.tzinfo)
    return began.strftime("%H:%M" if began.date() == table.now.date() else "%b%d")


def _uid(_table: Table, process: Process) -> str:
    return "0" if process.user == "root" else "1000"


def _command(_table: Table, process: Process) -> str:
    """The command line as procps prints it, with ``?`` for each unprintable character."""
    if process.command.isprintable():
        return process.command
    return "".join(c if c.isprintable() else " " if c == "\n" else "?" for c in process.command)


_PID = _Format("PID", 7, True, lambda _t, p: str(p.pid))
_USER = _Format("USER", 8, False, lambda _t, p: p.user)
_FORMATS: dict[str, _Format] = {
    "pid": _PID,
    "tgid": replace(_PID, header="TGID"),
    "ppid": _Format("PPID", 7, True, lambda _t, p: str(p.ppid)),
    "user": _USER,
    "euser": replace(_USER, header="EUSER"),
    "ruser": replace(_USER, header="RUSER"),
    "group": replace(_USER, header="GROUP"),
    "uid": _Format("UID", 5, True, _uid),
    "gid": _Format("GID", 5, True, _uid),
    "etime": _Format("ELAPSED", 11, True, _etime),
    "etimes": _Format("ELAPSED", 7, True, lambda t, p: str(t.elapsed(p))),
    "time": _Format("TIME", 8, True, _cpu_time),
    "pcpu": _Format("%CPU", 4, True, lambda _t, p: f"{p.cpu:.1f}"),
    "pmem": _Format("%MEM", 4, True, lambda _t, p: f"{p.rss / 655_360:.1f}"),
    "rss": _Format("RSS", 5, True, lambda _t, p: str(p.rss)),
    "vsz": _Format("VSZ", 6, True, lambda _t, p: str(p.vsz)),
    "tty": _Format("TT", 8, False, lambda _t, p: p.tty),
    "stat": _Format("STAT", 4, False, lambda _t, p: p.state),
    "state": _Format("S", 1, False, lambda _t, p: p.state[0]),
    "start": _Format("START", 5, True, _start),
    "bsdtime": _Format("TIME", 6, True, _bsd_time),
    "comm": _Format("COMMAND", 15, False, lambda _t, p: p.name),
    "ni": _Format("NI", 3, True, lambda _t, _p: "0"),
    "nlwp": _Format("NLWP", 4, True, lambda _t, _p: "1"),
    "cmd": _Format("CMD", 27, False, _command),
    "args": _Format("COMMAND", 27, False, _command),
}
_ALIASES = {
    "%cpu": "pcpu",
    "%mem": "pmem",
    "rssize": "rss",
    "vsize": "vsz",
    "tt": "tty",
    "tname": "tty",
    "s": "state",
    "command": "args",
    "ucmd": "comm",
    "ucomm": "comm",
    "uname": "user",
    "cputime": "time",
    "nice": "ni",
    "thcount": "nlwp",
    "stime": "start",
    "start_time": "start",
}
_AUX = ("user", "pid", "pcpu", "pmem", "vsz", "rss", "tty", "stat", "start", "bsdtime", "args")
_FULL = ("user", "pid", "ppid", "pcpu", "start", "tty", "time", "cmd")
_SHORT = ("pid", "tty", "time", "comm")


class PsError(Exception):
    """``ps`` doesn't understand its arguments; the text is what it prints on standard error."""


def ps(table: Table, arguments: Sequence[str]) -> str:
    """The output of ``ps`` with these arguments. Raises PsError."""
    words, width = _screen(list(arguments))
    columns, pids, header, everything = _options(words)
    rows = [p for p in table.processes if p.pid in pids] if pids else list(table.processes)
    if not pids and not everything:
        rows = []  # plain `ps` lists the caller's terminal only, and exec has none
    formats = [(_FORMATS[name], title) for name, title in columns]
    lines = [_line([_pad(fmt, title, last) for fmt, title, last in _marked(formats)])] if header else []
    lines += [
        _line([_pad(fmt, fmt.cell(table, process), last) for fmt, _, last in _marked(formats)]) for process in rows
    ]
    return "".join(f"{line[:width]}\n" for line in lines)


def _screen(words: list[str]) -> tuple[list[str], int | None]:
    """The arguments without ``--cols N``, and how wide a line may be."""
    if "--cols" not in words[:-1]:
        return words, None
    at = words.index("--cols")
    if not words[at + 1].isdecimal():
        raise PsError("error: number of columns must follow --cols, --width, or --columns\n")
    return words[:at] + words[at + 2 :], int(words[at + 1])


def _marked(formats: list[tuple[_Format, str]]) -> Iterable[tuple[_Format, str, bool]]:
    return ((fmt, title, index == len(formats) - 1) for index, (fmt, title) in enumerate(formats))


def _pad(fmt: _Format, text: str, last: bool) -> str:
    if fmt.right:
        return text.rjust(fmt.width)
    return text if last else text.ljust(fmt.width)


def _line(cells: list[str]) -> str:
    return " ".join(cells).rstrip()


def _options(words: list[str]) -> tuple[list[tuple[str, str]], set[int], bool, bool]:
    columns: list[tuple[str, str]] = []
    pids: set[int] = set()
    everything, header = False, True
    preset: tuple[str, ...] = _SHORT
    while words:
        word = words.pop(0)
        if word in ("--no-headers", "--no-heading", "h"):
            header = False
        elif word.startswith("--"):
            everything = everything or word == "--everyone"
        else:
            flags = word.lstrip("-")
            everything = everything or bool(set(flags) & (set("eA") if word.startswith("-") else set("ax")))
            preset = _preset(word, flags, preset)
            columns += _columns(flags, words)
            pids |= _pids(flags, words)
    chosen = columns or [(name, _title(name, preset)) for name in preset]
    return chosen, pids, header and any(title for _, title in chosen), everything


def _title(name: str, preset: tuple[str, ...]) -> str:
    if preset is _FULL and name in ("user", "pcpu", "start", "tty"):
        return {"user": "UID", "pcpu": "C", "start": "STIME", "tty": "TTY"}[name]
    if name == "tty":
        return "TTY"
    return "CMD" if preset is _SHORT and name == "comm" else _FORMATS[name].header


def _preset(word: str, flags: str, present: tuple[str, ...]) -> tuple[str, ...]:
    if "o" in flags or "p" in flags:
        return present
    if not word.startswith("-") and "u" in flags:
        return _AUX
    return _FULL if "f" in flags else present


def _columns(flags: str, words: list[str]) -> list[tuple[str, str]]:
    before, marker, glued = flags.partition("o")
    if not marker or "p" in before:
        return []
    text = glued or (words.pop(0) if words else "")
    if not text:
        raise PsError("error: format specification must follow -o\n")
    found: list[tuple[str, str]] = []
    for part in text.replace(",", " ").split():
        name, custom, title = part.partition("=")
        name = _ALIASES.get(name, name)
        if name not in _FORMATS:
            raise PsError(f'error: unknown user-defined format specifier "{shlex.quote(part)}"\n')
        found.append((name, title if custom else _FORMATS[name].header))
    return found


def _pids(flags: str, words: list[str]) -> set[int]:
    if not flags.startswith(("p", "q")):
        return set()
    text = flags[1:] or (words.pop(0) if words else "")
    try:
        return {int(part) for part in text.replace(",", " ").split()}
    except ValueError as error:
        raise PsError("error: process ID list syntax error\n") from error
