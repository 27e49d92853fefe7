"""Holds a SQLite ledger for one bot: cheap, so that a second bot is turned away before it does anything at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
from pathlib import Path

from bot.errors import Permanent

_TAKEN = (errno.EAGAIN, errno.EACCES)
_GIVE = "Give agentpod's user the right to write there, or set AGENTPOD_LEDGER__URL to another."


def unwritable(path: Path, error: OSError) -> Permanent:
    """The error for a file that can't be made or written."""
    return Permanent(f"The ledger {path} can't be written: {_reason(error)}.", remedy=_GIVE)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or 0).lower()


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL; None for another database, and for one without a file."""
    scheme, _, place = url.partition(":///")
    file = place.partition("?")[0]
    return Path(file) if scheme.startswith("sqlite") and file and file != ":memory:" else None


class FileLock:
    """Holds a SQLite file for one bot alone, as long as the process lives."""

    def __init__(self, path: Path) -> None:
        """Take it. Raises Permanent when another process has it, or the folder can't be written."""
        real = path.resolve()  # a link to the file is the same file
        self._path = real.with_name(real.name + ".lock")
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            by = _owner(self._file)
            os.close(self._file)
            raise _refusal(path, by, error) from error
        with contextlib.suppress(OSError):  # who holds it is only for the message: a full disk is said elsewhere
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)

    def release(self) -> None:
        """Let go."""
        with contextlib.suppress(OSError):
            os.close(self._file)


def _owner(file: int) -> str:
    """Who holds a lock, as the file says; empty where it does not."""
    number, _, host = os.pread(file, 300, 0).decode("ascii", "replace").strip().partition(" ")
    if not (number.isascii() and number.isdecimal()):
        return ""
    return f" (process {number}{f' on {host[:100]}' if host.isprintable() and host else ''})"


def _refusal(path: Path, by: str, error: OSError) -> Permanent:
    if error.errno not in _TAKEN:
        return Permanent(
            f"The ledger {path} can't be locked: {_reason(error)}.",
            remedy="Put it on a file system that has locks (no NFS without them), or use PostgreSQL.",
        )
    return Permanent(
        f"Another agentpod{by} uses the ledger {path}.",
        remedy="One bot a SQLite file: stop the other, or use PostgreSQL for several replicas.",
    )
