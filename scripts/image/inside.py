"""Runs a program in a folder that is its root, as a container engine would.

Three ways, the most faithful that this machine allows: namespaces as root; namespaces of an ordinary user, who is
root or the wanted user in them; or, as root where namespaces are closed, only another root folder.
With namespaces the program is process 1 and the root can be read-only. The network stays this machine's, so that
tests can talk to it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from pathlib import Path

__all__ = ["CannotRun", "Program", "Result", "Way", "command", "pid", "replace", "run", "start", "way"]

Result = subprocess.CompletedProcess[str]
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CannotRun(Exception):
    """The proof can't be run on this machine; the message says what is missing."""


class Way(Enum):
    """How a folder becomes a program's root here."""

    NAMESPACES = "namespaces, as root"
    USER_NAMESPACES = "namespaces of an ordinary user"
    CHROOT = "chroot alone: not process 1, and read-only only by ownership"


@dataclass(frozen=True)
class Program:
    """What to run: words, environment (nothing else is passed on), user and group, and the folder to begin in.

    ``frozen`` makes the root read-only but for an empty /tmp, as Kubernetes does; ``mounts`` are folders of this
    machine that it sees, by their paths inside, which have to exist.
    """

    words: Sequence[str]
    environment: Mapping[str, str]
    user: tuple[int, int] = (0, 0)
    folder: str = "/"
    frozen: bool = False
    mounts: Mapping[str, Path] | None = None


@cache
def way() -> Way:
    """The way that works here. Raises CannotRun when none does."""
    as_root = os.geteuid() == 0
    if _works(["unshare", "--mount", "--pid", "--fork", "true"]) and as_root:
        return Way.NAMESPACES
    if _works(
        ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "x", "/mnt"]
    ):
        return Way.USER_NAMESPACES
    if as_root and _works(["chroot", "/", "true"]):
        return Way.CHROOT
    raise CannotRun(
        "it takes root, or user namespaces (kernel.unprivileged_userns_clone=1) and util-linux's unshare"
    )


def _works(words: Sequence[str]) -> bool:
    try:
        return subprocess.run(words, env={"PATH": _PATH}, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def command(root: Path, program: Program) -> list[str]:
    """The words that run the program with that folder as its root."""
    chosen = way()
    script = [] if chosen is Way.CHROOT else _mounts(root, program)
    drop = _drop(program.user, chosen) if program.user != (0, 0) else []
    environment = [f"{name}={value}" for name, value in program.environment.items()]
    inner = ["chroot", str(root), *drop, "env", "-i", f"--chdir={program.folder}", *environment, *program.words]
    script.append(f"exec {shlex.join(inner)}")
    return [*_unshare(program.user, chosen), "sh", "-ec", "\n".join(script)]


def _unshare(user: tuple[int, int], chosen: Way) -> list[str]:
    if chosen is Way.CHROOT:
        return []
    common = ["--mount", "--pid", "--fork", "--kill-child"]
    if chosen is Way.NAMESPACES:
        return ["unshare", *common]
    identity = [f"--map-user={user[0]}", f"--map-group={user[1]}", "--keep-caps"]
    return ["unshare", "--user", *identity, *common]


def _mounts(root: Path, program: Program) -> list[str]:
    at = shlex.quote(str(root))
    lines = [f"mount --bind {at} {at}"]
    for inside, outside in (program.mounts or {}).items():
        lines += [f"mount --bind {shlex.quote(str(outside))} {at}{inside}"]
    lines += [f"mount --bind /dev/{name} {at}/dev/{name}" for name in ("null", "urandom")]
    lines.append(f"mount -t tmpfs -o mode=1777,size=64m shm {at}/dev/shm")  # noqa: S108 - the root's own
    if program.frozen:
        # nosuid and nodev as well: where the folder's file system has them, an ordinary user can't take them off.
        lines += [
            f"mount -o remount,bind,ro,nosuid,nodev {at}",
            f"mount -t tmpfs -o mode=1777,size=64m tmp {at}/tmp",  # noqa: S108 - the root's own
        ]
    return lines


def _drop(user: tuple[int, int], chosen: Way) -> list[str]:
    """Become the user with nothing more than it has: what "restricted" asks for."""
    words = ["setpriv", "--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"]
    if chosen is not Way.USER_NAMESPACES:
        words += [f"--reuid={user[0]}", f"--regid={user[1]}", "--clear-groups"]
    return words


def run(root: Path, program: Program, *, seconds: float = 300.0) -> Result:
    """Run it to its end. Raises subprocess.TimeoutExpired after ``seconds``."""
    words = command(root, program)
    return subprocess.run(
        words,
        env={"PATH": _PATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


def start(root: Path, program: Program, output: Path) -> subprocess.Popen[bytes]:
    """Start it; its output goes to a file. :func:`pid` finds it, and killing what is given here ends it."""
    with output.open("ab") as sink:
        return subprocess.Popen(
            command(root, program), env={"PATH": _PATH}, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
        )


def pid(started: subprocess.Popen[bytes]) -> int:
    """The program's own id on this machine: unshare waits for it as its parent."""
    if way() is Way.CHROOT:
        return started.pid
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    if len(children) != 1:
        raise ProcessLookupError(f"unshare ({started.pid}) has {len(children)} children, not 1")
    return int(children[0])
