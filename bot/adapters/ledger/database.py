"""How the two databases are opened and used: settings that a claim can rely on, and few steps a transaction.

All of a transaction's statements are functions of one connection. SQLite runs them in threads of its own, several
at once: to hand every statement to a thread costs more than what it does. PostgreSQL runs them on the event loop.
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
"""The execution option of connections that write."""
CONNECT, COMMAND = 5, 10
"""Seconds until PostgreSQL counts as gone: for a connection, and for a statement."""
LOCK = 0x6167706F64
"""The advisory lock under which PostgreSQL's writers go one after the other ("agpod")."""
READERS = 3
WAIT, AGAIN = 5.0, 0.01
"""Seconds that SQLite waits for a lock, and after which what it does not wait for is tried again."""


class Run(Protocol):
    """Runs a function of a transaction's connection."""

    def __call__(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        """What ``work`` gives, or raises."""


class Database(Protocol):
    """One of the two."""

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""

    def transaction(self, *, writes: bool) -> AbstractAsyncContextManager[Run]:
        """A transaction; rolled back unless some work has committed it."""

    async def close(self) -> None:
        """Close all connections."""


def name(url: str) -> str:
    """The database as messages call it: the file, or host and database; never a password."""
    parsed = make_url(url)
    if parsed.drivername.startswith("sqlite"):
        return str(parsed.database or "")
    port = f":{parsed.port}" if parsed.port else ""
    return f"{parsed.host or 'localhost'}{port}/{parsed.database or ''}"


def connect(url: str) -> Database:
    """The database of a URL; nothing is opened yet. Raises Permanent for a file that can't be one."""
    parsed = make_url(url)
    return Sqlite(parsed) if parsed.drivername.startswith("sqlite") else Postgresql(parsed)


class Sqlite:
    """A file, used in threads: one for all that write, since only one can, and a few for readers."""

    dialect = "sqlite"

    def __init__(self, url: URL) -> None:
        """Raises Permanent for a file that can't be one."""
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
        event.listen(self._engine, "connect", _set_up)
        event.listen(self._engine, "begin", _begin)
        self._closed = False
        self._turn = asyncio.Lock()
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
            return await _to_its_end(asyncio.get_running_loop().run_in_executor(executor, call, work))

        # In turn: a second writer's BEGIN would wait, in the one thread that could end the first.
        async with self._turn if writes else contextlib.nullcontext():
            try:
                yield run
            finally:
                if held and not held[0].closed:
                    await run(lambda connection: connection.close())

    async def close(self) -> None:
        """See the protocol. A transaction that is under way is waited for: it holds the file's lock."""
        self._closed = True
        async with self._turn:
            await asyncio.to_thread(self._writer.shutdown)
        await asyncio.to_thread(self._readers.shutdown)
        self._engine.dispose()


async def _to_its_end(work: asyncio.Future[T]) -> T:
    """What a thread gives. It can't be stopped: who is cancelled waits for it, so that nobody meets it later."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        if not work.cancelled():
            work.exception()
        raise


def _set_up(connection: Any, _: object) -> None:
    """WAL lets readers go on while somebody writes; FULL has a commit survive a power cut."""
    connection.text_factory = _text
    connection.isolation_level = None  # BEGIN is ours to say: pysqlite's own comes too late for IMMEDIATE
    cursor = connection.cursor()
    _to_wal(cursor)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _text(raw: bytes) -> str:
    """A text, whatever is in it: SQLite keeps any bytes, and one such row must not hide the others."""
    return raw.decode("utf-8", "replace")


def _to_wal(cursor: sqlite3.Cursor) -> None:
    """SQLite does not wait for who writes before the file is in this mode, as others that open it just now do."""
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
    """A server, used on the event loop; its writers go one after the other."""

    dialect = "postgresql"

    def __init__(self, url: URL) -> None:
        """Nothing is opened yet."""
        # It loads SQLAlchemy's object mapper: six megabytes that a bot with a file does without.
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
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self, *, writes: bool) -> AsyncIterator[Run]:
        """See the protocol. This process's writers wait here, so that they hold no connections meanwhile."""
        async with self._turn if writes else contextlib.nullcontext(), self._engine.connect() as connection:
            if writes:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))

            async def run(work: Callable[[Connection], T]) -> T:
                return await connection.run_sync(work)

            yield run

    async def close(self) -> None:
        """See the protocol."""
        await self._engine.dispose()
