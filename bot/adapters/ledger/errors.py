"""The one edge where the databases' failures become `bot.errors`. No message holds a password or a statement."""

from __future__ import annotations

import asyncio
import errno
import sqlite3

from sqlalchemy import exc

from bot.errors import AgentpodError, Conflict, NotAllowed, Permanent, Transient

_NOT_OURS = ("file is not a database", "file is encrypted")
_AGAIN = "Nothing was kept of it; try again in a moment."


def translate(error: BaseException, where: str) -> AgentpodError:
    """What a failed use of the database means for the reader. ``where`` names it, without a password."""
    if isinstance(error, AgentpodError):
        return error
    if isinstance(error, exc.IntegrityError):
        return Conflict("The ledger has that already.")
    if isinstance(error, exc.TimeoutError):
        return Transient(f"The ledger {where} is busy: no connection became free.", remedy=_AGAIN)
    original = getattr(error, "orig", None) or error
    cause = original.__cause__ or original
    for one in (original, cause):
        if isinstance(one, sqlite3.Error):
            return _sqlite(one, where)
    return _postgres(original, cause, where)


def is_databases(error: BaseException) -> bool:
    """Whether it is a failure of the database, and none of whoever uses it."""
    vendor = type(error).__module__.partition(".")[0] in ("sqlalchemy", "sqlite3", "asyncpg")
    return vendor or isinstance(error, OSError | TimeoutError)


def _sqlite(error: sqlite3.Error, where: str) -> AgentpodError:
    text, name = str(error).lower(), str(getattr(error, "sqlite_errorname", ""))
    if "can only grow" in text:
        return Permanent("The audit trail can only grow: what is written stays.")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or "locked" in text:
        return Transient(f"The ledger {where} is locked by another process.", remedy=_AGAIN)
    if name.startswith("SQLITE_FULL") or "full" in text:
        return Transient(f"The disk of the ledger {where} is full.", remedy=f"Make room. {_AGAIN}")
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
    return Transient(f"The ledger {where} failed: {name or type(error).__name__}.", remedy=_AGAIN)


_CREDENTIALS = ("28000", "28P01")
_UNKNOWN_DATABASE = "3D000"


def _postgres(error: BaseException, cause: BaseException, where: str) -> AgentpodError:
    state = str(getattr(cause, "sqlstate", None) or getattr(error, "sqlstate", None) or "")
    if state in _CREDENTIALS:
        return NotAllowed(
            f"PostgreSQL {where} refused the user or the password.", remedy="Check AGENTPOD_LEDGER__URL."
        )
    if state == _UNKNOWN_DATABASE:
        return Permanent(
            f"PostgreSQL {where} has no such database.", remedy="Create it, or check AGENTPOD_LEDGER__URL."
        )
    if state == "42501":
        return NotAllowed(
            f"PostgreSQL {where} refused: the user may not do that.",
            remedy="Give agentpod's user CREATE on the database's schema, or make it the owner.",
        )
    if state == "P0001":
        return Permanent("The audit trail can only grow: what is written stays.")
    if state.startswith(("40", "55")):
        return Transient(f"PostgreSQL {where} gave up on a transaction.", remedy=_AGAIN)
    if state == "53100":
        return Transient(f"The disk of PostgreSQL {where} is full.", remedy=f"Make room. {_AGAIN}")
    if state.startswith("25006"):
        return Transient(f"PostgreSQL {where} is read-only just now: is it a standby?", remedy=_AGAIN)
    return Transient(
        f"The ledger {where} can't be reached: {_why(cause)}.", remedy="Check that the database runs."
    )


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return "no answer"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError) and error.errno:
        return errno.errorcode.get(error.errno, "a system error")
    return type(error).__name__
