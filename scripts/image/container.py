"""Runs a program with a folder as its root, as a container engine would.

With namespaces the program is process 1 and the root can be read-only. The network stays this machine's, so that
tests can talk to it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from functools import cache
from pathlib import Path

NAMESPACES = "namespaces, as root"
USER_NAMESPACES = "namespaces of an ordinary user"
CHROOT = "chroot alone: not process 1, and read-only only by ownership"
OUTSIDE = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
_UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
_RESTRICTED = ("setpriv", "--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all")


class CannotRun(Exception):
    """The proof can't be run on this machine; the message says what is missing."""


@cache
def way() -> str:
    """The most faithful way to change the root that works here. Raises CannotRun if none does."""
    as_root = os.geteuid() == 0
    if as_root and _works(*_UNSHARE, "true"):
        return NAMESPACES
    if _works(*_UNSHARE, "--user", "--map-root-user", "mount", "-t", "tmpfs", "x", "/mnt"):
        return USER_NAMESPACES
    if as_root and _works("chroot", "/", "true"):
        return CHROOT
    raise CannotRun("it takes root, or user namespaces (kernel.unprivileged_userns_clone=1) and unshare")


def _works(*words: str) -> bool:
    try:
        return run([*words]).returncode == 0
    except OSError:
        return False


def run(words: list[str], seconds: float = 300.0) -> subprocess.CompletedProcess[str]:
    """Run a command and wait for it. Raises subprocess.TimeoutExpired after ``seconds``."""
    nothing = subprocess.DEVNULL
    return subprocess.run(words, env=OUTSIDE, stdin=nothing, capture_output=True, text=True, timeout=seconds)


def command(
    root: Path, words: list[str], environment: dict[str, str], user: tuple[int, int], folder: str, frozen: bool
) -> list[str]:
    """The command that runs ``words`` in that root; ``frozen`` is read-only but for /tmp, as in the Deployment."""
    at, unshare, inner = shlex.quote(str(root)), [*_UNSHARE], ["chroot", str(root)]
    if way() == USER_NAMESPACES:
        unshare += ["--user", f"--map-user={user[0]}", f"--map-group={user[1]}", "--keep-caps"]
    if user != (0, 0):
        ids = [f"--reuid={user[0]}", f"--regid={user[1]}", "--clear-groups"]
        inner += [*_RESTRICTED, *(ids if way() != USER_NAMESPACES else [])]
    inner += ["env", "-i", f"--chdir={folder}", *map("=".join, environment.items()), *words]
    mounts = [f"--bind {at} {at}", *(f"--bind /dev/{name} {at}/dev/{name}" for name in ("null", "urandom"))]
    if frozen:
        # nosuid and nodev too: if the folder's file system has them, an ordinary user can't remove them.
        mounts.append(f"-o remount,bind,ro,nosuid,nodev {at}")
        mounts.append(f"-t tmpfs -o mode=1777,size=64m none {at}/tmp")  # noqa: S108 - the root's own
    script = "".join(f"mount {arguments}\n" for arguments in mounts) + f"exec {shlex.join(inner)}"
    return inner if way() == CHROOT else [*unshare, "sh", "-ec", script]


def inner_pid(started: int) -> int:
    """The host's process id of a started command's program: the process itself is unshare, its parent."""
    children = "" if way() == CHROOT else Path(f"/proc/{started}/task/{started}/children").read_text()
    return int(children or started)
