"""Checks a ledger's SQLite file before it is opened, and locks it for one bot.

Both are cheap, so that a bot that can't use the file exits before it does anything else.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

from bot.adapters.ledger import version
from bot.errors import AgentpodError, Permanent, Transient

_HELD_ERRNOS = (errno.EAGAIN, errno.EACCES)
_GIVE = "Give agentpod's user the right to write there, or set AGENTPOD_LEDGER__URL to another."
_NOT_OURS = ("file is not a database", "file is encrypted")
AGAIN = "Nothing was kept of it; try again in a moment."


def unwritable(path: Path, error: OSError) -> Permanent:
    """Return the error for a file that can't be created or written."""
    return Permanent(f"The ledger {path} can't be written: {_reason(error)}.", remedy=_GIVE)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or 0).lower()


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for another database and for an in-memory one."""
    scheme, _, place = url.partition(":///")
    file = unquote(place.partition("?")[0])
    return Path(file) if scheme.startswith("sqlite") and file and file != ":memory:" else None


class FileLock:
    """An exclusive lock on a SQLite file, held until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        """Take the lock. Raises Permanent if another process has it or the lock file can't be written."""
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
        with contextlib.suppress(OSError):  # the owner is only for the error message
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)

    def release(self) -> None:
        """Release the lock."""
        with contextlib.suppress(OSError):
            os.close(self._file)


def _owner(file: int) -> str:
    """Return the owner that the lock file names, ready for a message; empty if it names none."""
    number, _, host = os.pread(file, 300, 0).decode("ascii", "replace").strip().partition(" ")
    if not (number.isascii() and number.isdecimal()):
        return ""
    return f" (process {number}{f' on {host[:100]}' if host.isprintable() and host else ''})"


def _refusal(path: Path, by: str, error: OSError) -> Permanent:
    if error.errno not in _HELD_ERRNOS:
        return Permanent(
            f"The ledger {path} can't be locked: {_reason(error)}.",
            remedy="Put it on a file system that has locks (no NFS without them), or use PostgreSQL.",
        )
    return Permanent(
        f"Another agentpod{by} uses the ledger {path}.",
        remedy="One bot a SQLite file: stop the other, or use PostgreSQL for several replicas.",
    )


def examine(path: Path) -> None:
    """Check that ``path`` is a ledger or that one can be created there.

    Raises Permanent for a folder, a pipe, a file of another kind and a newer schema. Temporary problems, such as a
    file that another process has locked, pass here and show when the ledger is opened.
    """
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        remedy = f"Set AGENTPOD_LEDGER__URL to a file in it, such as sqlite+aiosqlite:///{path}/agentpod.db."
        raise Permanent(f"The ledger {path} is a folder, and has to be a file.", remedy=remedy)
    if mode and not stat.S_ISREG(mode):
        remedy = "Set AGENTPOD_LEDGER__URL to an ordinary file."
        raise Permanent(f"The ledger {path} is a pipe, a socket or a device, and has to be a file.", remedy=remedy)
    if not path.parent.is_dir():
        raise Permanent(
            f"The folder of the ledger {path} does not exist.",
            remedy=f"Make it (mkdir -p {path.parent}), or set AGENTPOD_LEDGER__URL to another place.",
        )
    if not mode:
        return
    try:
        with closing(sqlite3.connect(path, timeout=0)) as database:
            tables = {
                str(name) for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
            numbers = [n for (n,) in database.execute(version.NUMBERS)] if version.TABLE in tables else []
    except sqlite3.Error as error:
        if isinstance(meant := of_sqlite(error, str(path)), Permanent):
            raise meant from error
        return
    version.judge(tables, numbers)


def _mode(path: Path) -> int:
    """Return the file's mode, following links; 0 if there is none. Raises Permanent if it can't be read."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise unwritable(path, error) from error


def of_sqlite(error: sqlite3.Error, where: str) -> AgentpodError:
    """Return the `bot.errors` exception for a SQLite failure. ``where`` names the file."""
    text, name = str(error).lower(), str(getattr(error, "sqlite_errorname", ""))
    if "can only grow" in text:
        return Permanent("The audit trail can only grow: what is written stays.")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or "locked" in text:
        return Transient(f"The ledger {where} is locked by another process.", remedy=AGAIN)
    if name.startswith("SQLITE_FULL") or "full" in text:
        return Transient(f"The disk of the ledger {where} is full.", remedy=f"Make room. {AGAIN}")
    if name.startswith("SQLITE_READONLY") or "readonly" in text:
        return Permanent(
            f"The ledger {where} can't be written: the file or its folder is read-only.",
            remedy="Give agentpod's user the right to write there, or set AGENTPOD_LEDGER__URL to another file.",
        )
    if any(words in text for words in _NOT_OURS):
        return Permanent(
            f"The ledger {where} is not a SQLite database.",
            remedy="Set AGENTPOD_LEDGER__URL to another file, or restore a backup. Nothing was touched.",
        )
    if name.startswith("SQLITE_CANTOPEN") or "unable to open" in text:
        return Permanent(
            f"The ledger {where} can't be opened.",
            remedy="Its folder must exist, and agentpod's user must be able to write there.",
        )
    if name.startswith("SQLITE_CORRUPT") or "malformed" in text:
        return Permanent(f"The ledger {where} is damaged.", remedy="Restore a backup; keep the damaged file.")
    return Transient(f"The ledger {where} failed: {name or type(error).__name__}.", remedy=AGAIN)
