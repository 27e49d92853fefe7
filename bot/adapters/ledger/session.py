"""Transactions, reading rows and error translation, shared by all features of the ledger.

Each feature has two mixins: a *store* derived from `Session`, and a *writing* derived from `WriteBuffer`. `ledger`
and `writing` combine them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, func, select

from bot.adapters.ledger import aside
from bot.adapters.ledger.changes import Changes
from bot.adapters.ledger.database import Database, Run
from bot.adapters.ledger.errors import is_databases, translate
from bot.domain.core.aside import Aside
from bot.domain.core.outside import Outside
from bot.errors import AgentpodError, Transient, Uncertain

T = TypeVar("T")

PATIENCE = 20.0
"""The timeout of a whole transaction, in seconds."""
CLOCK = select(func.clock_timestamp())
"""PostgreSQL's current time; ``now()`` would be the time at which the transaction began."""
OUTSIDE = Outside()
"""Redacts what looks like a secret before it is stored: errors quote what an API server or a person wrote."""


class WriteBuffer:
    """An open transaction that collects its writes and executes them in one go, before a read or at the end."""

    def __init__(self, run: Run, dialect: str, now: datetime, audited: Outside = OUTSIDE) -> None:
        """``now`` is the time that enqueued messages get as their creation time.

        ``audited`` redacts audit data, also the known values: it is only shown.
        """
        self._run, self._dialect, self._now, self._audited = run, dialect, now, audited
        self._writes: list[Callable[[Connection], None]] = []
        self.changed = False
        """Whether anything was written."""

    async def now(self, here: datetime) -> datetime:
        """See the port."""
        if self._dialect != "postgresql":
            return here
        at: datetime = (await self._read(CLOCK))[0][0]
        return at

    async def _read(self, wanted: Select[Any], **values: Any) -> Sequence[Row[Any]]:
        """Execute the collected writes, then the query."""

        def read(connection: Connection) -> Sequence[Row[Any]]:
            self.flush(connection)
            return connection.execute(wanted, values).all()

        return await self._run(read)

    async def _load_rows(self, kind: str, rows: Sequence[Row[Any]], load: Callable[[Row[Any]], T]) -> list[T]:
        """Load rows; live ones that can't be read are set aside with this transaction."""
        good, bad = aside.sort_out(kind, rows, load)
        if bad:
            self._writes.append(lambda connection: aside.put(connection, bad))
        return good

    def _write(self, statement: Any, rows: Any) -> None:
        """Collect a statement with the values of one row or of many."""

        def write(connection: Connection) -> None:
            connection.execute(statement, rows)

        self._writes.append(write)

    def flush(self, connection: Connection) -> None:
        """Execute the collected writes. Raises what the database raises, and Conflict."""
        writes, self._writes = self._writes, []
        self.changed = self.changed or bool(writes)
        for write in writes:
            write(connection)


Open = TypeVar("Open", bound=WriteBuffer)


class Session:
    """Runs queries and transactions on the database. Raises `bot.errors` only."""

    def __init__(self, made: Database, where: str) -> None:
        """``where`` names the database in messages."""
        self._database, self._where = made, where
        self._changes = Changes(Path(where) if made.dialect == "sqlite" else None)

    async def now(self, here: datetime) -> datetime:
        """See the port."""
        if self._database.dialect != "postgresql":
            return here
        at: datetime = (await self._rows(CLOCK))[0][0]
        return at

    def on_change(self, call: Callable[[], None]) -> None:
        """See the port."""
        self._changes.on_change(call)

    async def watch(self) -> None:
        """See the port."""
        await self._changes.watch()

    async def set_aside(self, since: datetime) -> Sequence[Aside]:
        """See the port."""
        return aside.read(await self._rows(aside.listed(since)))

    @asynccontextmanager
    async def _transaction(self, begin: Callable[[Run], Open]) -> AsyncIterator[Open]:
        """Open a transaction of several steps: committed when the block ends, rolled back when it raises."""
        committing = False
        try:
            async with asyncio.timeout(PATIENCE), self._database.transaction(writes=True) as run:
                tx = begin(run)
                yield tx
                committing = True
                await run(partial(_run_and_commit, tx.flush))
            if tx.changed:  # most evaluations of a healthy pod write nothing
                self._changes.committed()
        except AgentpodError:
            raise
        except Exception as error:
            if not is_databases(error):
                raise
            raise self._failure(error, committing) from error

    async def _change(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a write transaction of its own, and commit."""
        try:
            async with asyncio.timeout(PATIENCE), self._database.transaction(writes=True) as run:
                done = await run(partial(_run_and_commit, work))
            self._changes.committed()
            return done
        except AgentpodError:
            raise
        except Exception as error:
            raise self._failure(error, committing=False) from error

    def _failure(self, error: Exception, committing: bool) -> AgentpodError:
        failure = translate(error, self._where)
        if committing and isinstance(failure, Transient) and self._database.dialect == "postgresql":
            text = f"It is unknown whether the ledger {self._where} kept it: {failure.message}"
            return Uncertain(text, remedy="Look before it is done again.")
        return failure

    async def _rows(self, wanted: Select[Any], **values: int) -> Sequence[Row[Any]]:
        def read(connection: Connection) -> Sequence[Row[Any]]:
            rows = connection.execute(wanted, values).all()
            connection.close()
            return rows

        try:
            async with asyncio.timeout(PATIENCE), self._database.transaction(writes=False) as run:
                return await run(read)
        except AgentpodError:
            raise
        except Exception as error:
            raise translate(error, self._where) from error

    async def _load_rows(self, kind: str, rows: Sequence[Row[Any]], load: Callable[[Row[Any]], T]) -> list[T]:
        """Load rows; live ones that can't be read are set aside in a transaction of their own."""
        good, bad = aside.sort_out(kind, rows, load)
        if bad:
            await self._change(lambda connection: aside.put(connection, bad))
        return good


def _run_and_commit(work: Callable[[Connection], T], connection: Connection) -> T:
    """Run ``work``, commit, and close the connection, in one hand-over to the database's thread."""
    done = work(connection)
    connection.commit()
    connection.close()
    return done
