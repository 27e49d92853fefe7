"""The ledger itself: transactions, queries, and the messages that are owed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, func, make_url, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.adapters.ledger import database, migrations
from bot.adapters.ledger.errors import translate
from bot.adapters.ledger.schema import audit, cases, deliveries, to_micros
from bot.adapters.ledger.writing import LIVE, SqlWriting, case_of, record_of
from bot.domain.approval import State
from bot.domain.audit import Record
from bot.domain.repair import Case, Delivery, Posted
from bot.errors import AgentpodError, Transient, Uncertain

logger = logging.getLogger("agentpod.ledger")

PAGE = 500
"""Audit records read at once."""
PATIENCE = 20.0
"""Seconds for a whole transaction: one that takes longer is given up, so that nobody waits for it for ever."""


async def open_ledger(url: str, *, exclusive: bool = True) -> SqlLedger:
    """Open the database, and bring its schema to this version. Raises `bot.errors` only.

    ``exclusive``: a SQLite file is locked against other bots. Terminal commands beside the bot go without.
    """
    where = database.name(url)
    lock: database.FileLock | None = None
    made: AsyncEngine | None = None
    try:
        made = database.engine(url)
        path = Path(make_url(url).database or "") if made.dialect.name == "sqlite" else None
        if path is not None and exclusive:
            lock = database.FileLock(path)
        if path is not None and not path.exists():
            path.touch(0o600)
        ledger = SqlLedger(made, where, lock)
        await ledger.prepare()
        return ledger
    except BaseException as error:
        if made is not None:
            with contextlib.suppress(Exception):
                await made.dispose()
        if lock is not None:
            lock.release()
        if isinstance(error, Exception):
            raise translate(error, where) from error
        raise


class SqlLedger:
    """The Ledger port on one database."""

    def __init__(self, engine: AsyncEngine, where: str, lock: database.FileLock | None) -> None:
        """Use :func:`open_ledger`. ``where`` names the database in messages."""
        self._engine, self._where, self._lock = engine, where, lock
        self._writer = asyncio.Lock()

    @property
    def exclusive(self) -> bool:
        """Whether no other bot can use it."""
        return self._lock is not None

    async def prepare(self) -> None:
        """Migrate where it is due. In a file that is ours alone, what a process before held is free again."""
        async with self._begin() as connection:
            before = await connection.run_sync(migrations.migrate)
            if before < len(migrations.MIGRATIONS):
                logger.info("ledger migrated", extra={"from": before, "to": len(migrations.MIGRATIONS)})
            if self.exclusive:
                held = deliveries.c.held_until.is_not(None)
                lost = update(deliveries).where(held, deliveries.c.ts.is_(None)).values(unsure=True)
                await connection.execute(lost)
                await connection.execute(update(deliveries).where(held).values(held_until=None))

    async def close(self) -> None:
        """Close all connections, and let go of the file."""
        await self._engine.dispose()
        if self._lock is not None:
            self._lock.release()

    # -- transactions

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[SqlWriting]:
        """See the port."""
        async with self._begin() as connection:
            yield SqlWriting(connection, datetime.now(UTC))

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes; kept at the end. Raises `bot.errors` for the database's failures."""
        committing = False
        try:
            async with asyncio.timeout(PATIENCE), self._writer, self._engine.connect() as plain:
                connection = await plain.execution_options(**{database.WRITES: True})
                async with connection.begin() as transaction:
                    if connection.dialect.name == "postgresql":
                        await connection.execute(text(f"SELECT pg_advisory_xact_lock({database.LOCK})"))
                    yield connection
                    committing = True
                    await transaction.commit()
        except AgentpodError:
            raise
        except Exception as error:
            raise self._failure(error, committing) from error

    def _failure(self, error: Exception, committing: bool) -> AgentpodError:
        failure = translate(error, self._where)
        if committing and isinstance(failure, Transient) and self._engine.dialect.name == "postgresql":
            return Uncertain(
                f"It is unknown whether the ledger {self._where} kept it: {failure.message}", remedy="Look."
            )
        return failure

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with asyncio.timeout(PATIENCE), self._engine.connect() as connection:
                yield connection
        except AgentpodError:
            raise
        except Exception as error:
            raise translate(error, self._where) from error

    # -- cases

    async def case(self, id_: str) -> Case | None:
        """See the port."""
        async with self._reading() as connection:
            row = (await connection.execute(select(cases).where(cases.c.id == id_))).first()
        return None if row is None else case_of(row)

    async def cases(
        self,
        *,
        states: Collection[State] | None = None,
        target: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[Case]:
        """See the port. A case that can't be read is left out, and logged."""
        wanted = select(cases).order_by(cases.c.created_at.desc(), cases.c.id).limit(limit)
        if states is not None:
            wanted = wanted.where(cases.c.state.in_(sorted(s.value for s in states)))
        if target is not None:
            wanted = wanted.where(cases.c.target == target)
        if since is not None:
            wanted = wanted.where(cases.c.created_at >= to_micros(since))
        return await self._cases(wanted)

    async def overdue(self, now: datetime) -> Sequence[Case]:
        """See the port."""
        late = cases.c.expires_at <= to_micros(now)
        return await self._cases(select(cases).where(cases.c.state == State.OPEN.value, late).limit(100))

    async def unheld(self, now: datetime) -> Sequence[Case]:
        """See the port."""
        begun = cases.c.state.in_([State.APPROVED.value, State.EXECUTING.value])
        free = or_(cases.c.held_until.is_(None), cases.c.held_until <= to_micros(now))
        return await self._cases(select(cases).where(LIVE, begun, free).limit(100))

    async def _cases(self, wanted: Select[Any]) -> list[Case]:
        async with self._reading() as connection:
            rows = (await connection.execute(wanted)).all()
        return list(_readable(rows))

    # -- the audit trail

    async def records(
        self, *, after: int = 0, since: datetime | None = None, limit: int | None = None, newest: bool = False
    ) -> AsyncGenerator[Record, None]:
        """See the port. Read in pages, so that no transaction stays open between two of them."""
        order = audit.c.number.desc() if newest else audit.c.number
        last, left = after, limit
        bounds = [audit.c.at >= to_micros(since)] if since is not None else []
        below: int | None = None
        while left is None or left > 0:
            here = [audit.c.number > last, *bounds]
            if below is not None:
                here.append(audit.c.number < below)
            count = PAGE if left is None else min(PAGE, left)
            async with self._reading() as connection:
                rows = (await connection.execute(select(audit).where(*here).order_by(order).limit(count))).all()
            for row in rows:
                yield record_of(row)
            if len(rows) < count:
                return
            left = None if left is None else left - len(rows)
            last, below = (after, rows[-1].number) if newest else (rows[-1].number, None)

    # -- messages

    async def take(self, now: datetime, hold: timedelta, limit: int = 20) -> Sequence[Delivery]:
        """See the port."""
        wanted = self._due(now).limit(limit)
        async with self._reading() as connection:  # most looks find nothing: no transaction for them
            if not (await connection.execute(wanted)).first():
                return ()
        async with self._begin() as connection:
            rows = (await connection.execute(wanted)).all()
            for row in rows:
                lost = row.held_until is not None and row.ts is None
                held = {
                    "held_until": to_micros(now + hold),
                    "attempts": row.attempts + 1,
                    "unsure": row.unsure or lost,
                }
                await connection.execute(update(deliveries).where(deliveries.c.key == row.key).values(**held))
        return [_delivery(row, taken=True) for row in rows]

    def _due(self, now: datetime) -> Select[Any]:
        above = deliveries.alias("above")
        at = to_micros(now)
        return (
            select(deliveries, above.c.channel.label("thread_channel"), above.c.ts.label("thread_ts"))
            .select_from(deliveries.outerjoin(above, above.c.key == deliveries.c.under))
            .where(
                deliveries.c.wanted > deliveries.c.shown,
                deliveries.c.dead.is_(False),
                or_(deliveries.c.retry_at.is_(None), deliveries.c.retry_at <= at),
                or_(deliveries.c.held_until.is_(None), deliveries.c.held_until <= at),
                or_(deliveries.c.under == "", above.c.ts.is_not(None)),
            )
            .order_by(deliveries.c.created_at)
        )

    async def delivered(self, delivery: Delivery, posted: Posted) -> None:
        """See the port."""
        await self._settle(
            delivery,
            shown=delivery.wanted,
            channel=posted.channel,
            ts=posted.ts,
            attempts=0,
            unsure=False,
            error="",
            retry_at=None,
        )

    async def failed(self, delivery: Delivery, error: str, retry_at: datetime | None, *, unsure: bool) -> None:
        """See the port."""
        later = None if retry_at is None else to_micros(retry_at)
        dead = retry_at is None
        unsure = delivery.unsure or unsure
        await self._settle(delivery, error=error[:1000], retry_at=later, dead=dead, unsure=unsure)

    async def _settle(self, delivery: Delivery, **values: object) -> None:
        async with self._begin() as connection:
            here = update(deliveries).where(deliveries.c.key == delivery.key)
            await connection.execute(here.values(held_until=None, **values))

    async def delivery(self, key: str) -> Delivery | None:
        """See the port."""
        above = deliveries.alias("above")
        wanted = (
            select(deliveries, above.c.channel.label("thread_channel"), above.c.ts.label("thread_ts"))
            .select_from(deliveries.outerjoin(above, above.c.key == deliveries.c.under))
            .where(deliveries.c.key == key)
        )
        async with self._reading() as connection:
            row = (await connection.execute(wanted)).first()
        return None if row is None else _delivery(row)

    async def waiting(self) -> int:
        """See the port."""
        due = [deliveries.c.wanted > deliveries.c.shown, deliveries.c.dead.is_(False)]
        async with self._reading() as connection:
            return int(
                (await connection.execute(select(func.count()).select_from(deliveries).where(*due))).scalar_one()
            )


def _readable(rows: Iterable[Row[Any]]) -> Iterable[Case]:
    for row in rows:
        try:
            yield case_of(row)
        except AgentpodError as error:
            logger.error("left out: %s", error.message)


def _delivery(row: Row[Any], *, taken: bool = False) -> Delivery:
    lost = taken and row.held_until is not None and row.ts is None
    made = Delivery(
        row.key,
        row.place,
        row.under,
        row.wanted,
        row.shown,
        Posted(row.channel, row.ts) if row.ts else None,
        Posted(row.thread_channel, row.thread_ts) if row.thread_ts else None,
        row.attempts,
        row.unsure or lost,
        row.error,
    )
    return replace(made, attempts=row.attempts + 1) if taken else made
