"""The commands of the simulated container, and a small ``sh -c``."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field, replace

from sandbox.cluster import file_programs
from sandbox.cluster.files import (
    HOST_KEY_FILE,
    KEYS_FILE,
    MOUNTED_KEYS,
    NEW_HOST_KEY,
    File,
    children,
    expand,
    image_crontab,
    usual,
)
from sandbox.cluster.objects import HOME
from sandbox.cluster.processes import PsError, Table, ps
from sandbox.cluster.program import Result

SIZES = {".cache": 2_412_000, ".claude": 812_000, ".vibe-kanban": 143_000, ".vscode-server": 1_903_000}
SIZES |= {"repos": 9_204_000, ".ssh": 12, ".ssh-host-keys": 20, ".kube": 16, ".crontab": 4}
Written = MutableMapping[str, "File | None"]
"""What was written into a container: path to file, None for one that was removed."""
DISK_KIB = 51_290_592
USED, FULL = 0.31, 0.97
"""The share of the disk that is used, and of a full one."""
INODES = 3_276_800
SIGNALS = {"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "TERM": 15}
ENDING = (1, 2, 3, 15)
"""Signals that end the main process: the kernel keeps others, such as KILL, from a process with id 1."""


class NoExecutable(Exception):
    """The program doesn't exist, so the runtime can't start it."""


@dataclass
class Container:
    """The inside of a container as one ``exec`` sees it."""

    table: Table
    user: str = "claude"
    full: bool = False
    absent: frozenset[str] = frozenset()
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=usual)
    no_size: bool = False
    """Whether ``df`` reports no size for the home's file system."""
    no_inodes: bool = False
    """Whether the home's file system has no inode left."""
    keys: str | None = None
    """The file of SSH keys as the entrypoint copied it when the container started."""
    mounted_keys: str | None = None
    """The same file as it is mounted from its Secret."""

    new_volume: bool = False
    """Whether the volume was made anew, with other SSH host keys."""
    wrong_crontab: bool = False
    """Whether a line of the crontab is wrong."""
    page: str = ""
    """How VibeKanban's page fails, as `Faults.page`."""
    signals: list[int] = field(default_factory=list)
    """Signals that were sent to the main process."""
    written: Written = field(default_factory=dict)
    """What was written into it, which stays."""

    def __post_init__(self) -> None:
        if self.new_volume:
            self.files[HOST_KEY_FILE] = File(NEW_HOST_KEY)
        if self.wrong_crontab:
            self.files[f"{HOME}/.crontab"] = File(image_crontab(wrong=True))
        if self.keys is not None:
            self.files[KEYS_FILE] = File(self.keys, "-rw-------")
        if self.mounted_keys is not None:
            self.files[MOUNTED_KEYS] = File(self.mounted_keys, "-r--------")
        for path, file in self.written.items():
            if file is None:
                self.files.pop(path, None)
            else:
                self.files[path] = file

    def may_write(self, path: str) -> bool:
        """Whether the user may write a file: everything for root, for others what is in the home or in /tmp."""
        return self.user == "root" or path.startswith((f"{HOME}/", "/tmp/"))  # noqa: S108 - of the pretend pod

    def write(self, path: str, file: File | None) -> None:
        """Write a file that stays, or remove it."""
        if file is None:
            self.files.pop(path, None)
        else:
            file = replace(file, changed=self.table.now)
            self.files[path] = file
        self.written[path] = file

    def execute(self, command: list[str], stdin: bytes = b"") -> Result:
        """Run a program as ``exec`` does, without a shell. Raises NoExecutable."""
        name = command[0].rsplit("/", 1)[-1]
        if name in ("sh", "bash") and "-c" in [w[:1] + w[-1:] for w in command[1:2]]:
            return Script(self).run(command[2] if len(command) > 2 else "", stdin)
        if (file := self.files.get(command[0])) is not None and "x" in file.mode:
            return self._run_script(name, file.text, stdin)
        program = PROGRAMS.get(name)
        if program is None or name in self.absent:
            raise NoExecutable(command[0])
        return program(self, command[1:], stdin)

    def _run_script(self, name: str, text: str, stdin: bytes) -> Result:
        """Run a script of the container; one that has comments only just says that it was run."""
        lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
        return Script(self).run("\n".join(lines), stdin) if lines else Result(f"[{name}] done\n".encode())

    def absolute(self, path: str) -> str:
        """``path`` resolved against the home folder, without a trailing slash."""
        full = path if path.startswith("/") else f"{HOME}/{path}"
        return full.rstrip("/") or "/"


class Script:
    """Simple shell scripts: ``;``, newlines, ``&&``, ``||``, pipes, variables, globs, redirected output."""

    def __init__(self, container: Container) -> None:
        """Run in ``container``."""
        self._container = container

    def run(self, text: str, stdin: bytes) -> Result:
        """Run the script; its status is that of the last command."""
        if "in /proc/[0-9]*" in text:
            return self._walk_proc(text)
        out, err, code = b"", b"", 0
        try:
            steps = _steps(text)
        except ValueError:
            return Result(err=b"sh: 1: Syntax error: Unterminated quoted string\n", code=2)
        for joiner, words in steps:
            if (joiner == "&&" and code) or (joiner == "||" and not code):
                continue
            result = self._pipeline(words, stdin, code)
            out, err, code = out + result.out, err + result.err, result.code
            if words[0] == "exit":
                break
        return Result(out, err, code)

    def _walk_proc(self, text: str) -> Result:
        """A loop over ``/proc/[0-9]*``, as used where there is no ps. Other loops aren't supported."""
        short, flat = "head -c" in text, "\\n" in text
        rows = [
            f"{p.pid} {p.user} {line.replace(chr(10), ' ') if flat else line}"
            for p in self._container.table.processes
            for line in [p.command[:2048] if short else p.command]
        ]
        return Result("".join(f"{row}\n" for row in ["PID USER COMMAND", *rows]).encode())

    def _pipeline(self, words: list[str], stdin: bytes, last: int) -> Result:
        err, result = b"", Result(out=stdin)
        for part in _split(words, "|"):
            result = self._simple(part, result.out, last)
            err += result.err
        return Result(result.out, err, result.code)

    def _simple(self, words: list[str], stdin: bytes, last: int) -> Result:
        plain, drop_out, drop_err, join = _redirections(words)
        command = [w for word in plain for w in self._expand(word, last)]
        if not command:
            return Result()
        if command[0] == "exit":
            return Result(code=int(command[1]) if len(command) > 1 else last)
        try:
            result = self._container.execute(command, stdin)
        except NoExecutable:
            result = Result(err=f"sh: 1: {command[0]}: not found\n".encode(), code=127)
        out, err = (b"" if drop_out else result.out), (b"" if drop_err else result.err)
        return Result(out + err, b"", result.code) if join and not drop_err else Result(out, err, result.code)

    def _expand(self, word: str, last: int) -> list[str]:
        if word.startswith("'"):
            return [word[1:-1]]
        quoted = word.startswith('"')
        text = word[1:-1] if quoted else word
        text = re.sub(r"\$\{?(\w+|\?)\}?", lambda m: self._variable(m[1], last), text)
        if quoted:
            return [text]
        text = HOME + text[1:] if text == "~" or text.startswith("~/") else text
        return expand(self._container.files, text.replace("\\", ""))

    def _variable(self, name: str, last: int) -> str:
        return str(last) if name == "?" else self._container.env.get(name, "")


def _steps(text: str) -> list[tuple[str, list[str]]]:
    lexer = shlex.shlex(text.replace("\n", " ; "), posix=False, punctuation_chars=";&|")
    lexer.whitespace_split, lexer.commenters = True, ""
    steps: list[tuple[str, list[str]]] = [("", [])]
    for token in lexer:
        if token in (";", "&&", "||", "&"):
            steps.append((token, []))
        else:
            steps[-1][1].append(token)
    return [(joiner, words) for joiner, words in steps if words]


def _split(words: list[str], mark: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == mark:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _redirections(words: list[str]) -> tuple[list[str], bool, bool, bool]:
    text = {">/dev/null", "1>/dev/null", "2>/dev/null", "2>&1", ">&2"}
    plain = [word for word in words if word not in text]
    drop_out = any(word in (">/dev/null", "1>/dev/null") for word in words)
    return plain, drop_out, "2>/dev/null" in words, "2>&1" in words


def _id(box: Container, args: list[str], _stdin: bytes) -> Result:
    number, name = (0, "root") if box.user == "root" else (1000, "claude")
    if args:
        return Result(f"{name if 'n' in args[0] else number}\n".encode())
    return Result(f"uid={number}({name}) gid={number}({name}) groups={number}({name})\n".encode())


def _ps(box: Container, args: list[str], _stdin: bytes) -> Result:
    try:
        return Result(ps(box.table, args).encode())
    except PsError as error:
        return Result(err=str(error).encode(), code=1)


def _pgrep(box: Container, args: list[str], _stdin: bytes) -> Result:
    flags = "".join(a.lstrip("-") for a in args if a.startswith("-"))
    patterns = [a for a in args if not a.startswith("-")]
    if len(patterns) != 1:
        return Result(err=b"pgrep: no matching criteria specified\n", code=2)
    lines = [
        f"{p.pid} {p.command if 'a' in flags else p.name}" if set("al") & set(flags) else str(p.pid)
        for p in box.table.processes
        if re.search(patterns[0], p.command if "f" in flags else p.name)
    ]
    return Result("".join(f"{line}\n" for line in lines).encode(), code=0 if lines else 1)


def _ls(box: Container, args: list[str], _stdin: bytes) -> Result:
    flags = "".join(a.lstrip("-") for a in args if a.startswith("-"))
    out, err, code = [], b"", 0
    for path in [a for a in args if not a.startswith("-")] or [HOME]:
        full = box.absolute(path)
        names = [path] if full in box.files else children(box.files, full)
        if names is None:
            err += f"ls: cannot access '{path}': No such file or directory\n".encode()
            code = 2
            continue
        shown = [n for n in names if not n.startswith(".") or set("aA") & set(flags)]
        out += [_long(box, full, name) if "l" in flags else name for name in shown]
    return Result("".join(f"{line}\n" for line in out).encode(), err, code)


def _long(box: Container, folder: str, name: str) -> str:
    file = box.files.get(folder) or box.files.get(f"{folder.rstrip('/')}/{name}")
    when = box.table.started.strftime("%b %d %H:%M")
    if file is None:
        return f"drwxr-xr-x 2 claude claude 4096 {when} {name}"
    return f"{file.mode} 1 {file.owner} {file.owner} {len(file.text):4} {when} {name}"


def _cat(box: Container, args: list[str], stdin: bytes) -> Result:
    out, err = b"", b""
    for path in args or ["-"]:
        file = box.files.get(box.absolute(path))
        if path == "-":
            out += stdin
        elif file is not None:
            out += file.text.encode()
        else:
            err += f"cat: {path}: No such file or directory\n".encode()
    return Result(out, err, 1 if err else 0)


def _stat(box: Container, args: list[str], _stdin: bytes) -> Result:
    form = args[args.index("-c") + 1] if "-c" in args else "%n"
    out, err = "", ""
    for path in [a for a in args if not a.startswith("-") and a != form]:
        file = box.files.get(box.absolute(path))
        if file is None:
            err += f"stat: cannot statx '{path}': No such file or directory\n"
        else:
            out += file.stat(form, path, box.table.started) + "\n"
    return Result(out.encode(), err.encode(), 1 if err else 0)


def _df(box: Container, args: list[str], _stdin: bytes) -> Result:
    flags = "".join(a.lstrip("-") for a in args if a.startswith("-"))
    share = FULL if box.full else USED
    rows = [("/dev/longhorn/pvc-4b0f7c52", DISK_KIB, share, HOME), ("overlay", 488_281_250, 0.42, "/")]
    if "i" in flags:
        used = 1.0 if box.no_inodes else 0.12
        rows = [("/dev/longhorn/pvc-4b0f7c52", INODES, used, HOME), ("overlay", 31_250_000, 0.04, "/")]
    paths = [box.absolute(a) for a in args if not a.startswith("-")]
    if paths:
        rows = [rows[0] if path.startswith(HOME) else rows[1] for path in paths]
    lines = [_df_head(flags)]
    for device, size, part, mount in rows:
        if box.no_size and mount == HOME:
            lines.append(f"{device:<28} {0:>11} {0:>11} {0:>11} {'-':>9} {mount}")
            continue
        used = int(size * part)
        numbers = [_human(n) if "h" in flags else str(n) for n in (size, used, size - used)]
        lines.append(f"{device:<28} {' '.join(f'{n:>11}' for n in numbers)} {round(part * 100):>8}% {mount}")
    return Result("".join(f"{line}\n" for line in lines).encode())


def _df_head(flags: str) -> str:
    if "i" in flags:
        return f"{'Filesystem':<28} {'Inodes':>11} {'IUsed':>11} {'IFree':>11} {'IUse%':>9} Mounted on"
    size = "Size" if "h" in flags else "1024-blocks" if "P" in flags else "1K-blocks"
    free, share = ("Avail", "Use%") if "h" in flags else ("Available", "Capacity" if "P" in flags else "Use%")
    return f"{'Filesystem':<28} {size:>11} {'Used':>11} {free:>11} {share:>9} Mounted on"


def _human(kib: int) -> str:
    value = float(kib)
    for unit in "KMGT":
        if value < 1024:
            return f"{value:.1f}{unit}" if value < 10 else f"{value:.0f}{unit}"
        value /= 1024
    return f"{value:.0f}P"


def _du(box: Container, args: list[str], _stdin: bytes) -> Result:
    flags = "".join(a.lstrip("-") for a in args if a.startswith("-") and not a.startswith("--"))
    out, err = "", b""
    for path in [a for a in args if not a.startswith("-") and not a.isdigit()] or [HOME]:
        full = box.absolute(path)
        if full not in box.files and children(box.files, full) is None:
            err += f"du: cannot access '{path}': No such file or directory\n".encode()
            continue
        below = [f"{path}/{name}" for name in children(box.files, full) or ()] if "d" in flags else []
        for one in [*(one for one in below if children(box.files, box.absolute(one)) is not None), path]:
            size = _size(box, box.absolute(one))
            out += f"{_human(size) if 'h' in flags else size}\t{one}\n"
    return Result(out.encode(), err, 1 if err else 0)


def _size(box: Container, path: str) -> int:
    """The KiB of a file or folder; the cache of a full disk has grown until the disk was full."""
    grown = int(DISK_KIB * (FULL - USED)) if box.full else 0
    if path == HOME:
        return sum(SIZES.values()) + grown
    return SIZES.get(path.rsplit("/", 1)[-1], 4) + (grown if path == f"{HOME}/.cache" else 0)


def _env(box: Container, args: list[str], _stdin: bytes) -> Result:
    if args:
        values = [box.env.get(name) for name in args]
        out = "".join(f"{value}\n" for value in values if value is not None)
        return Result(out.encode(), code=1 if None in values else 0)
    return Result("".join(f"{key}={value}\n" for key, value in box.env.items()).encode())


_ALLOWED = {"api.anthropic.com": "404", "pushgateway.": "200"}
"""What answers outside the pod, with its status."""


_PAGES = {
    "": ("200", "text/html", b"", 0),
    "502": ("502", "text/plain; charset=utf-8", b"", 0),
    "down": ("000", "", b"curl: (7) Failed to connect\n", 7),
    "hangs": ("000", "", b"curl: (28) Operation timed out\n", 28),
}
"""How VibeKanban's page answers: status, content type, what curl says of it, and its exit code."""


def _curl(box: Container, args: list[str], _stdin: bytes) -> Result:
    url = next((a for a in args if a.startswith("http")), "")
    form = args[args.index("-w") + 1] if "-w" in args else ""
    if ":8081" not in url:
        code = next((code for name, code in _ALLOWED.items() if name in url), "000")
        return Result(form.replace("%{http_code}", code).encode(), code=28 if code == "000" else 0)
    runs = any(p.service == "vibe-kanban" for p in box.table.processes)
    status, kind, said, exit_code = _PAGES[box.page if runs else "down"]
    page = "" if "-o" in args or exit_code else "<!doctype html><html><title>vibe-kanban</title></html>"
    out = form.replace("%{http_code}", status).replace("%{content_type}", kind).replace("\\n", "\n")
    return Result((page + out).encode(), said, exit_code)


def _echo(_box: Container, args: list[str], _stdin: bytes) -> Result:
    bare = args[:1] == ["-n"]
    return Result((" ".join(args[1:] if bare else args) + ("" if bare else "\n")).encode())


def _printf(_box: Container, args: list[str], _stdin: bytes) -> Result:
    text = (args[0] if args else "").replace("\\n", "\n").replace("\\t", "\t")
    for value in args[1:]:
        text = re.sub(r"%[sd]", value.replace("\\", r"\\"), text, count=1)
    return Result(text.encode())


def _test(box: Container, args: list[str], _stdin: bytes) -> Result:
    words = [a for a in args if a != "]"]
    path = box.absolute(words[-1]) if words else "/"
    exists = path in box.files or children(box.files, path) is not None
    if words[:1] == ["-x"] and (file := box.files.get(path)) is not None:
        exists = "x" in file.mode
    return Result(code=0 if exists else 1)


def _kill(box: Container, args: list[str], _stdin: bytes) -> Result:
    """``kill [-SIGNAL | -s SIGNAL] PID``: only the main process, with id 1, can be ended."""
    name, *pids = args if args[:1] and args[0].startswith("-") else ["-TERM", *args]
    if name == "-s" and pids:
        name, *pids = f"-{pids[0]}", *pids[1:]
    word = name.lstrip("-").upper().removeprefix("SIG")
    number = int(word) if word.isdigit() else SIGNALS.get(word)
    if number is None or not pids:
        return Result(err=b"kill: not enough arguments\n", code=1)
    for pid in pids:
        if pid not in [str(process.pid) for process in box.table.processes]:
            return Result(err=f"kill: ({pid}) - No such process\n".encode(), code=1)
        if pid == "1":
            box.signals.append(number)
    return Result()


def _slice(_box: Container, args: list[str], stdin: bytes, *, head: bool) -> Result:
    numbers = [int(m[0]) for a in args if (m := re.search(r"\d+$", a))]
    lines = stdin.splitlines(keepends=True)
    count = numbers[0] if numbers else 10
    return Result(b"".join(lines[:count] if head else lines[-count:]))


def _grep(_box: Container, args: list[str], stdin: bytes) -> Result:
    flags = "".join(a.lstrip("-") for a in args if a.startswith("-"))
    pattern = next((a for a in args if not a.startswith("-")), "")
    found = re.compile(pattern.encode(), re.IGNORECASE if "i" in flags else 0)
    lines = [x for x in stdin.splitlines(keepends=True) if bool(found.search(x)) != ("v" in flags)]
    out = f"{len(lines)}\n".encode() if "c" in flags else b"".join(lines)
    return Result(b"" if "q" in flags else out, code=0 if lines else 1)


def _wc(box: Container, args: list[str], stdin: bytes) -> Result:
    """Count the lines of the input, or the bytes of files."""
    paths = [a for a in args if not a.startswith("-")]
    if not paths:
        return Result(str(stdin.count(b"\n")).encode() + b"\n")
    out, err, total = "", "", 0
    for path in paths:
        file = box.files.get(box.absolute(path))
        if file is None:
            err += f"wc: {path}: No such file or directory\n"
            continue
        total += len(file.text)
        out += f"{len(file.text):4} {path}\n"
    out += f"{total:4} total\n" if len(paths) > 1 else ""
    return Result(out.encode(), err.encode(), 1 if err else 0)


def _find(box: Container, args: list[str], _stdin: bytes) -> Result:
    """The repositories below a folder, each followed by what ``git status`` prints there: nothing."""
    folder = box.absolute(args[0]) if args else "/"
    if ".git" not in args or children(box.files, folder) is None:
        return Result(err=f"find: '{folder}': No such file or directory\n".encode(), code=1)
    return Result("".join(f"repository {folder}/{name}\n" for name in children(box.files, folder) or ()).encode())


Program = Callable[[Container, list[str], bytes], Result]
PROGRAMS: dict[str, Program] = {
    **file_programs.PROGRAMS,
    "id": _id,
    "whoami": lambda box, _a, _i: Result(f"{box.user}\n".encode()),
    "ps": _ps,
    "pgrep": _pgrep,
    "ls": _ls,
    "cat": _cat,
    "stat": _stat,
    "df": _df,
    "du": _du,
    "env": _env,
    "printenv": _env,
    "curl": _curl,
    "echo": _echo,
    "printf": _printf,
    "test": _test,
    "[": _test,
    "true": lambda _b, _a, _i: Result(),
    ":": lambda _b, _a, _i: Result(),
    "false": lambda _b, _a, _i: Result(code=1),
    "sleep": lambda _b, _a, _i: Result(),
    "head": lambda box, args, stdin: _slice(box, args, stdin, head=True),
    "tail": lambda box, args, stdin: _slice(box, args, stdin, head=False),
    "grep": _grep,
    "sort": lambda _b, _a, i: Result(b"".join(sorted(i.splitlines(keepends=True)))),
    "wc": _wc,
    "find": _find,
    "base64": lambda _b, a, i: Result(base64.b64decode(i) if "-d" in a else base64.b64encode(i) + b"\n"),
    "kill": _kill,
    "hostname": lambda box, _a, _i: Result(f"{box.env.get('HOSTNAME', '')}\n".encode()),
    "date": lambda box, _a, _i: Result(box.table.now.strftime("%a %b %e %H:%M:%S UTC %Y\n").encode()),
    "uname": lambda _b, _a, _i: Result(b"Linux\n"),
}
