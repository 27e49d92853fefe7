"""Opens SQLite and PostgreSQL, and runs transactions on them.

The work of a transaction is one or a few functions that take the connection. SQLite runs each of them in a thread
(handing over every single statement would cost more than the statement), PostgreSQL on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text

from bot.adapters.ledger.file import examine
from bot.errors import Permanent, Transient

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")
WRITES = "agentpod_writes"
"""The execution option that marks a connection for writing."""
CONNECT, COMMAND = 5, 10
"""PostgreSQL's timeouts in seconds: to connect (or get a pooled connection), and for a statement."""
LOCK = 0x6167706F64
"""The advisory lock that serializes PostgreSQL's writers ("agpod" in ASCII)."""
READERS = 3
WAIT, AGAIN = 5.0, 0.01
"""Seconds that SQLite waits for a lock, and between retries of the statements for which it does not wait."""


class Run(Protocol):
    """Runs a function with the transaction's connection."""

    def __call__(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        """Return what ``work`` returns, and raise what it raises."""


class Database(Protocol):
    """An open database: `Sqlite` or `Postgresql`."""

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""

    def transaction(self, *, writes: bool) -> AbstractAsyncContextManager[Run]:
        """Open a transaction; it is rolled back unless some work commits it."""

    async def close(self) -> None:
        """Close all connections."""


def name(url: str) -> str:
    """Return the database's name for messages: the file, or host and database; never a password.

    What stands before the last @ belongs to the user and the password, wherever the address is split.
    """
    parsed = make_url(url)
    if parsed.drivername.startswith("sqlite"):
        return str(parsed.database or "")
    port = f":{parsed.port}" if parsed.port else ""
    return f"{parsed.host or 'localhost'}{port}/{parsed.database or ''}".rpartition("@")[2]


def connect(url: str) -> Database:
    """Return the database of a URL, without connecting. Raises Permanent for a file that can't be a ledger."""
    parsed = make_url(url)
    return Sqlite(parsed) if parsed.drivername.startswith("sqlite") else Postgresql(parsed)


class Sqlite:
    """A SQLite file, used in threads: one for writing, as SQLite has one writer at a time, a few for reading."""

    dialect = "sqlite"

    def __init__(self, url: URL) -> None:
        """Raises Permanent for a file that can't be a ledger."""
        path = Path(url.database or "")
        if not url.database or url.database == ":memory:":
            remedy = "Set AGENTPOD_LEDGER__URL to sqlite+aiosqlite:///PATH."
            raise Permanent("The ledger needs a file.", remedy=remedy)
        examine(path)
        self._engine: Engine = create_engine(
            url.set(drivername="sqlite"),
            connect_args={"timeout": WAIT},
            hide_parameters=True,
            pool_size=READERS + 1,
        )
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        self._closed = False
        self._write_lock = asyncio.Lock()
        self._writer = ThreadPoolExecutor(1, "ledger-writer")
        self._readers = ThreadPoolExecutor(READERS, "ledger-reader")

    @asynccontextmanager
    async def transaction(self, *, writes: bool) -> AsyncIterator[Run]:
        """See the protocol."""
        held: list[Connection] = []
        executor = self._writer if writes else self._readers

        def call(work: Callable[[Connection], T]) -> T:
            if not held:
                held.append(self._engine.connect().execution_options(**{WRITES: writes}))
            return work(held[0])

        async def run(work: Callable[[Connection], T]) -> T:
            if self._closed and not held:
                raise Transient("The ledger is closed: agentpod is stopping.")
            return await _wait_even_if_cancelled(asyncio.get_running_loop().run_in_executor(executor, call, work))

        # One writer at a time: a second one's BEGIN would block the only thread that can end the first.
        async with self._write_lock if writes else contextlib.nullcontext():
            try:
                yield run
            finally:
                if held and not held[0].closed:
                    await run(lambda connection: connection.close())

    async def close(self) -> None:
        """See the protocol. Waits for the open write transaction, which holds the file's lock."""
        self._closed = True
        async with self._write_lock:
            await asyncio.to_thread(self._writer.shutdown)
        await asyncio.to_thread(self._readers.shutdown)
        self._engine.dispose()


async def _wait_even_if_cancelled(work: asyncio.Future[T]) -> T:
    """Wait for a thread's result, even if cancelled.

    A thread can't be stopped: without this it could still be using the connection after its caller is gone.
    """
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        if not work.cancelled():
            work.exception()
        raise


def _configure(connection: Any, _: object) -> None:
    """Configure a new connection: WAL lets readers work during writes; FULL makes a commit survive a power cut."""
    connection.text_factory = _text
    connection.isolation_level = None  # `_begin` issues BEGIN: pysqlite's comes too late for IMMEDIATE
    cursor = connection.cursor()
    _to_wal(cursor)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _text(raw: bytes) -> str:
    """Decode any bytes: SQLite does not validate text, and one bad row must not make the others unreadable."""
    return raw.decode("utf-8", "replace")


def _to_wal(cursor: sqlite3.Cursor) -> None:
    """Switch to WAL, retrying while the file is busy: SQLite's busy timeout does not cover this statement."""
    until = time.monotonic() + WAIT
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
        time.sleep(AGAIN)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Postgresql:
    """A PostgreSQL server, used on the event loop; writers are serialized by an advisory lock."""

    dialect = "postgresql"

    def __init__(self, url: URL) -> None:
        """Configure the engine, without connecting."""
        # Imported here: it loads SQLAlchemy's ORM, 6 MB that a bot with a SQLite file does not need.
        from sqlalchemy.ext.asyncio import create_async_engine

        query = dict(url.query)
        if "sslmode" in query:  # libpq's word; asyncpg's is ssl
            query["ssl"] = query.pop("sslmode")
        settings = {"application_name": "agentpod"}
        self._engine: AsyncEngine = create_async_engine(
            url.set(query=query),
            connect_args={"timeout": CONNECT, "command_timeout": COMMAND, "server_settings": settings},
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=5,
            pool_timeout=CONNECT,
        )
        self._write_lock = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self, *, writes: bool) -> AsyncIterator[Run]:
        """See the protocol. This process's writers queue before they connect, so waiting takes no connection."""
        async with self._write_lock if writes else contextlib.nullcontext(), self._engine.connect() as connection:
            if writes:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))

            async def run(work: Callable[[Connection], T]) -> T:
                return await connection.run_sync(work)

            yield run

    async def close(self) -> None:
        """See the protocol."""
        await self._engine.dispose()
