"""How the two databases are opened: settings that a claim can rely on, and who may use the file."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.errors import Permanent

WRITES = "agentpod_writes"
"""The execution option of connections that write."""
CONNECT, COMMAND = 5, 10
"""Seconds until PostgreSQL counts as gone: for a connection, and for a statement."""
LOCK = 0x6167706F64
"""The advisory lock under which PostgreSQL's writers go one after the other ("agpod")."""


def name(url: str) -> str:
    """The database as messages call it: the file, or host and database; never a password."""
    parsed = make_url(url)
    if parsed.drivername.startswith("sqlite"):
        return str(parsed.database or "")
    port = f":{parsed.port}" if parsed.port else ""
    return f"{parsed.host or 'localhost'}{port}/{parsed.database or ''}"


def engine(url: str) -> AsyncEngine:
    """The engine for a URL. Raises Permanent for a file that can't be one."""
    parsed = make_url(url)
    return _sqlite(parsed) if parsed.drivername.startswith("sqlite") else _postgres(parsed)


def _sqlite(url: URL) -> AsyncEngine:
    path = Path(url.database or "")
    if not url.database or url.database == ":memory:":
        raise Permanent("The ledger needs a file.", remedy="Set AGENTPOD_LEDGER__URL to sqlite+aiosqlite:///PATH.")
    if not path.parent.is_dir():
        raise Permanent(
            f"The folder of the ledger {path} does not exist.",
            remedy=f"Make it (mkdir -p {path.parent}), or set AGENTPOD_LEDGER__URL to another place.",
        )
    made = create_async_engine(url, connect_args={"timeout": 5}, hide_parameters=True, pool_size=4, max_overflow=4)
    event.listen(made.sync_engine, "connect", _set_up)
    event.listen(made.sync_engine, "begin", _begin)
    return made


def _set_up(connection: Any, _: object) -> None:
    """WAL lets readers go on while somebody writes; FULL has a commit survive a power cut."""
    connection.isolation_level = None  # BEGIN is ours to say: pysqlite's own comes too late for IMMEDIATE
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgres(url: URL) -> AsyncEngine:
    query = dict(url.query)
    if "sslmode" in query:  # libpq's word; asyncpg's is ssl
        query["ssl"] = query.pop("sslmode")
    return create_async_engine(
        url.set(query=query),
        connect_args={
            "timeout": CONNECT,
            "command_timeout": COMMAND,
            "server_settings": {"application_name": "agentpod"},
        },
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=5,
        pool_timeout=CONNECT,
    )


class FileLock:
    """Holds a SQLite file for one bot alone, as long as the process lives."""

    def __init__(self, path: Path) -> None:
        """Take it. Raises Permanent when another process has it, or the folder can't be written."""
        self._path = path.with_name(path.name + ".lock")
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Permanent(
                f"The ledger {path} can't be written: {os.strerror(error.errno or 0).lower()}.",
                remedy="Give agentpod's user the right to write there, or set AGENTPOD_LEDGER__URL to another.",
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            by = os.read(self._file, 20).decode("ascii", "replace").strip()
            os.close(self._file)
            raise Permanent(
                f"Another agentpod{f' (process {by})' if by else ''} uses the ledger {path}.",
                remedy="One bot a SQLite file: stop the other, or use PostgreSQL for several replicas.",
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go."""
        with contextlib.suppress(OSError):
            os.close(self._file)
