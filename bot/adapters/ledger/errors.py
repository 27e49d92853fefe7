"""Translates database exceptions into `bot.errors`. No message contains a password or an SQL statement."""

from __future__ import annotations

import asyncio
import errno
import sqlite3

from sqlalchemy import exc

from bot.adapters.ledger.file import AGAIN, of_sqlite
from bot.errors import AgentpodError, Conflict, NotAllowed, Permanent, Transient


def translate(error: BaseException, where: str) -> AgentpodError:
    """Return the `bot.errors` exception for a database failure. ``where`` is the database's name in messages."""
    if isinstance(error, AgentpodError):
        return error
    if isinstance(error, exc.IntegrityError):
        return Conflict("The ledger has that already.")
    if isinstance(error, exc.TimeoutError):
        return Transient(f"The ledger {where} is busy: no connection became free.", remedy=AGAIN)
    original = getattr(error, "orig", None) or error
    cause = original.__cause__ or original
    for one in (original, cause):
        if isinstance(one, sqlite3.Error):
            return of_sqlite(one, where)
    return _postgres(original, cause, where)


def is_databases(error: BaseException) -> bool:
    """Whether ``error`` comes from the database or its driver rather than from the calling code."""
    vendor = type(error).__module__.partition(".")[0] in ("sqlalchemy", "sqlite3", "asyncpg")
    return vendor or isinstance(error, OSError | TimeoutError)


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
        return Transient(f"PostgreSQL {where} gave up on a transaction.", remedy=AGAIN)
    if state == "53100":
        return Transient(f"The disk of PostgreSQL {where} is full.", remedy=f"Make room. {AGAIN}")
    if state.startswith("25006"):
        return Transient(f"PostgreSQL {where} is read-only just now: is it a standby?", remedy=AGAIN)
    return Transient(
        f"The ledger {where} can't be reached: {_why(cause)}.", remedy="Check that the database runs."
    )


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError | asyncio.CancelledError):  # asyncpg's timeouts cancel the wait
        return "no answer"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError) and error.errno:
        return errno.errorcode.get(error.errno, "a system error")
    return type(error).__name__
