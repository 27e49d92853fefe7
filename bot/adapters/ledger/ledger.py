"""The ledger itself: transactions, queries, and pending messages."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, func, or_, select, update

from bot.adapters.ledger import aside, database, migrations, retention, version, watching
from bot.adapters.ledger.changes import Changes
from bot.adapters.ledger.database import Database
from bot.adapters.ledger.errors import is_databases, translate
from bot.adapters.ledger.file import FileLock, unwritable
from bot.adapters.ledger.schema import audit, cases, deliveries, from_micros, incidents, jobs, marks, to_micros
from bot.adapters.ledger.writing import CLOCK, LIVE, SqlWriting, case_of, load_case, record_of
from bot.domain.approvals.approval import State
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.aside import Aside
from bot.domain.core.audit import Record
from bot.domain.core.history import HistoryEvent
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.job_state import JobState
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.errors import AgentpodError, Transient, Uncertain

logger = logging.getLogger("agentpod.ledger")
T = TypeVar("T")

PAGE = 500
"""Audit records read at once."""
STUCK = 5
"""Attempts after which a message that still waits counts as undeliverable."""
PATIENCE = 20.0
"""Seconds for a whole transaction: one that takes longer is given up, so that nobody waits for it for ever."""


async def open_ledger(url: str, *, exclusive: bool = True, lock: FileLock | None = None) -> SqlLedger:
    """Open the database, and bring its schema to this version. Raises `bot.errors` only.

    ``exclusive``: a SQLite file is locked against other bots. Terminal commands beside the bot go without.
    ``lock`` is one that is taken already; it is let go with the ledger.
    """
    where = database.name(url)
    # The database's driver is slow to load: in a thread, so that Slack is heard meanwhile.
    try:
        made = await asyncio.to_thread(database.connect, url)
    except BaseException:
        if lock is not None:
            lock.release()
        raise
    try:
        if made.dialect == "sqlite":
            path = Path(where)
            lock = lock or (FileLock(path) if exclusive else None)
            _private(path)
        ledger = SqlLedger(made, where, lock)
        await ledger.prepare()
        return ledger
    except BaseException as error:
        with contextlib.suppress(Exception):
            await made.close()
        if lock is not None:
            lock.release()
        if isinstance(error, Exception):
            raise translate(error, where) from error
        raise


def _private(path: Path) -> None:
    """A new file for us alone to read."""
    try:
        if not path.exists():
            path.touch(0o600)
    except OSError as error:
        raise unwritable(path, error) from error


class SqlLedger:
    """The Ledger port on one database."""

    def __init__(self, made: Database, where: str, lock: FileLock | None) -> None:
        """Use :func:`open_ledger`. ``where`` names the database in messages."""
        self._database, self._where, self._lock = made, where, lock
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

    @property
    def exclusive(self) -> bool:
        """Whether no other bot can use it."""
        return self._lock is not None

    async def prepare(self) -> None:
        """Migrate where it is due. In a file that is ours alone, what a process before held is free again."""

        def free(connection: Connection) -> int:
            before = migrations.migrate(connection)
            if self.exclusive:
                held = deliveries.c.held_until.is_not(None)
                connection.execute(update(deliveries).where(held, deliveries.c.ts.is_(None)).values(unsure=True))
                connection.execute(update(deliveries).where(held).values(held_until=None))
            return before

        before = await self._change(free)
        if before < version.LATEST:
            logger.info("ledger migrated", extra={"from": before, "to": version.LATEST})

    async def close(self) -> None:
        """Close all connections, and let go of the file."""
        await self._database.close()
        if self._lock is not None:
            self._lock.release()

    # -- transactions

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[SqlWriting]:
        """See the port."""
        committing = False
        try:
            async with asyncio.timeout(PATIENCE), self._database.transaction(writes=True) as run:
                tx = SqlWriting(run, self._database.dialect, datetime.now(UTC))
                yield tx
                committing = True
                await run(partial(_keep, tx.flush))
            self._changes.committed()
        except AgentpodError:
            raise
        except Exception as error:
            if not is_databases(error):
                raise
            raise self._failure(error, committing) from error

    async def _change(self, work: Callable[[Connection], T]) -> T:
        """A whole transaction in one go."""
        try:
            async with asyncio.timeout(PATIENCE), self._database.transaction(writes=True) as run:
                done = await run(partial(_keep, work))
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

    async def _rows(self, wanted: Select[Any]) -> Sequence[Row[Any]]:
        def read(connection: Connection) -> Sequence[Row[Any]]:
            rows = connection.execute(wanted).all()
            connection.close()
            return rows

        try:
            async with asyncio.timeout(PATIENCE), self._database.transaction(writes=False) as run:
                return await run(read)
        except AgentpodError:
            raise
        except Exception as error:
            raise translate(error, self._where) from error

    # -- cases

    async def case(self, id_: str) -> RepairRequest | None:
        """See the port."""
        rows = await self._rows(select(cases).where(cases.c.id == id_))
        return case_of(rows[0]) if rows else None

    async def cases(
        self,
        *,
        states: Collection[State] | None = None,
        target: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[RepairRequest]:
        """See the port. A case that can't be read is left out."""
        wanted = select(cases).order_by(cases.c.created_at.desc(), cases.c.id).limit(limit)
        if states is not None:
            wanted = wanted.where(cases.c.state.in_(sorted(s.value for s in states)))
        if target is not None:
            wanted = wanted.where(cases.c.target == target)
        if since is not None:
            wanted = wanted.where(cases.c.created_at >= to_micros(since))
        return await self._cases(wanted)

    async def overdue(self, now: datetime) -> Sequence[RepairRequest]:
        """See the port."""
        late = cases.c.expires_at <= to_micros(now)
        return await self._cases(select(cases).where(cases.c.state == State.OPEN.value, late).limit(100))

    async def unheld(self, now: datetime) -> Sequence[RepairRequest]:
        """See the port."""
        begun = cases.c.state.in_([State.APPROVED.value, State.EXECUTING.value])
        free = or_(cases.c.held_until.is_(None), cases.c.held_until <= to_micros(now))
        return await self._cases(select(cases).where(LIVE, begun, free).limit(100))

    async def _cases(self, wanted: Select[Any]) -> list[RepairRequest]:
        return await self._sorted_out("request", await self._rows(wanted), load_case)

    async def _sorted_out(self, kind: str, rows: Sequence[Row[Any]], load: Callable[[Row[Any]], T]) -> list[T]:
        """What can be read of some rows; the rest is set aside where it is in the way."""
        good, bad = aside.sort_out(kind, rows, load)
        if in_the_way := [one for one in bad if one.live]:
            await self._change(lambda connection: aside.put(connection, in_the_way))
        return good

    async def set_aside(self, since: datetime) -> Sequence[Aside]:
        """See the port."""
        return aside.read(await self._rows(aside.listed(since)))

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
            rows = await self._rows(select(audit).where(*here).order_by(order).limit(count))
            for row in rows:
                yield record_of(row)
            if len(rows) < count:
                return
            left = None if left is None else left - len(rows)
            last, below = (after, rows[-1].number) if newest else (rows[-1].number, None)

    # -- messages

    async def take(
        self, now: datetime, hold: timedelta, limit: int = 20, *, without: Collection[str] = ()
    ) -> Sequence[OutboxMessage]:
        """See the port."""
        wanted = self._due(now).limit(limit)
        if without:
            wanted = wanted.where(deliveries.c.place.not_in(list(without)))
        if not await self._rows(wanted):  # most looks find nothing: no transaction for them
            return ()
        return await self._change(partial(_hold, wanted=wanted, now=now, hold=hold))

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
                or_(deliveries.c.under == "", and_(_is_there(above), ~_earlier_in_the_thread())),
            )
            .order_by(deliveries.c.created_at, deliveries.c.key)
        )

    async def next_due(self, now: datetime) -> datetime | None:
        """See the port."""
        at = to_micros(now)
        waits = [deliveries.c.wanted > deliveries.c.shown, deliveries.c.dead.is_(False)]
        times = select(deliveries.c.retry_at, deliveries.c.held_until).where(*waits)
        rows = await self._rows(times.where(or_(deliveries.c.retry_at > at, deliveries.c.held_until > at)))
        later = [t for row in rows for t in (row.retry_at, row.held_until) if isinstance(t, int) and t > at]
        return from_micros(min(later)) if later else None

    async def next_deadline(self, now: datetime) -> datetime | None:
        """See the port."""
        rows = await self._rows(select(cases.c.state, cases.c.expires_at).where(LIVE))
        if any(row.state != State.OPEN.value for row in rows):
            return now
        ends = [row.expires_at for row in rows if isinstance(row.expires_at, int)]
        return from_micros(min(ends)) if ends else None

    async def delivered(self, delivery: OutboxMessage, posted: MessageRef) -> None:
        """See the port."""
        before = delivery.posted.ts if delivery.posted else None
        as_taken = or_(deliveries.c.ts.is_not_distinct_from(before), deliveries.c.ts == posted.ts)
        noted = await self._settle(
            delivery,
            as_taken,
            shown=delivery.wanted,
            channel=posted.channel,
            ts=posted.ts,
            attempts=0,
            error="",
            retry_at=None,
            refused=False,
        )
        if not noted:
            logger.warning("posted twice: another process was first", extra={"delivery": delivery.key})

    async def failed(
        self,
        delivery: OutboxMessage,
        error: str,
        at: datetime,
        *,
        dead: bool = False,
        unsure: bool,
        refused: bool = False,
    ) -> None:
        """See the port."""
        unsure = delivery.unsure or unsure
        how = {"retry_at": to_micros(at), "dead": dead, "refused": refused, "unsure": unsure}
        await self._settle(delivery, error=error[:1000], **how)

    async def _settle(self, delivery: OutboxMessage, *only: ColumnElement[bool], **values: object) -> int:
        here = update(deliveries).where(deliveries.c.key == delivery.key, *only).values(held_until=None, **values)
        return await self._change(lambda connection: connection.execute(here).rowcount)

    async def reroute_pending(self, places: Mapping[str, str], since: datetime) -> int:
        """See the port."""
        moves = [watching.readdressed(kind, place, since) for kind, place in places.items()]
        return await self._change(lambda connection: sum(connection.execute(move).rowcount for move in moves))

    async def delivery(self, key: MessageKey) -> OutboxMessage | None:
        """See the port."""
        above = deliveries.alias("above")
        wanted = (
            select(deliveries, above.c.channel.label("thread_channel"), above.c.ts.label("thread_ts"))
            .select_from(deliveries.outerjoin(above, above.c.key == deliveries.c.under))
            .where(deliveries.c.key == key)
        )
        rows = await self._rows(wanted)
        return _delivery(rows[0]) if rows and _is_whole(rows[0]) else None

    async def mark(self, name: str) -> str | None:
        """See the port."""
        rows = await self._rows(select(marks).where(marks.c.name == name))
        return str(rows[0].value) if rows else None

    async def dropped(self, delivery: OutboxMessage) -> None:
        """See the port."""
        await self._change(lambda connection: connection.execute(watching.dropped(delivery)).rowcount)

    async def dead(self, since: datetime, limit: int = 20) -> Sequence[OutboxMessage]:
        """See the port. What an earlier version gave up counts from when it was enqueued."""
        above = deliveries.alias("above")
        dead, pending = deliveries.c.dead.is_(True), deliveries.c.wanted > deliveries.c.shown
        lately = func.coalesce(deliveries.c.retry_at, deliveries.c.created_at) >= to_micros(since)
        hopeless = or_(deliveries.c.attempts >= STUCK, deliveries.c.refused.is_(True))
        stuck = and_(~dead, pending, deliveries.c.error != "", hopeless)
        wanted = (
            select(deliveries, above.c.channel.label("thread_channel"), above.c.ts.label("thread_ts"))
            .select_from(deliveries.outerjoin(above, above.c.key == deliveries.c.under))
            .where(or_(and_(dead, lately), stuck))
            .order_by(deliveries.c.created_at.desc())
            .limit(limit)
        )
        return [_delivery(row) if _is_whole(row) else _named(row) for row in await self._rows(wanted)]

    # -- what is watched

    async def incident(self, id_: str) -> Incident | None:
        """See the port."""
        found = await self._incidents(select(incidents).where(incidents.c.id == id_))
        return found[0] if found else None

    async def incidents(
        self,
        *,
        live: bool | None = None,
        since: datetime | None = None,
        told: bool = True,
        group: str = "",
        issue: str = "",
        limit: int | None = 100,
    ) -> Sequence[Incident]:
        """See the port."""
        wanted = watching.wanted_incidents(live, since, told).limit(limit)
        if group:
            wanted = wanted.where(incidents.c.message_group == group)
        if issue:
            wanted = wanted.where(incidents.c.issue == issue)
        return await self._incidents(wanted)

    async def _incidents(self, wanted: Select[Any]) -> list[Incident]:
        return await self._sorted_out("incident", await self._rows(wanted), watching.load_incident)

    async def job_states(self) -> Mapping[str, JobState]:
        """See the port."""
        return dict(await self._sorted_out("job", await self._rows(select(jobs)), watching.load_memory))

    async def history(self, since: datetime, until: datetime, *, beats: bool = True) -> Sequence[HistoryEvent]:
        """See the port."""
        return watching.happenings(await self._rows(watching.wanted_history(since, until, beats=beats)))

    async def forget_history(self, before: datetime) -> None:
        """See the port."""
        await self._change(lambda connection: connection.execute(watching.old_history(before)).rowcount)

    async def drop_closed(self, before: datetime, limit: int = 500) -> int:
        """See the port."""
        return await self._change(partial(retention.drop_closed, before=to_micros(before), limit=limit))

    async def waiting(self) -> int:
        """See the port."""
        due = [deliveries.c.wanted > deliveries.c.shown, deliveries.c.dead.is_(False)]
        rows = await self._rows(select(func.count()).select_from(deliveries).where(*due))
        return int(rows[0][0])


def _is_there(above: Any) -> Any:
    """The message above is posted. One that is about to be edited may turn out to be gone, and be posted anew."""
    tried = and_(above.c.dead.is_(False), above.c.refused.is_(False), above.c.error == "")
    return and_(above.c.ts.is_not(None), ~and_(above.c.wanted > above.c.shown, tried))


def _earlier_in_the_thread() -> Any:
    """Something older that is not in the same thread yet: what is said there is said in its order."""
    other = deliveries.alias("other")
    older = or_(
        other.c.created_at < deliveries.c.created_at,
        and_(other.c.created_at == deliveries.c.created_at, other.c.key < deliveries.c.key),
    )
    tried = and_(other.c.dead.is_(False), other.c.refused.is_(False))
    waits = and_(other.c.ts.is_(None), other.c.wanted > other.c.shown, tried)
    return exists().where(other.c.under == deliveries.c.under, older, waits)


def _keep(work: Callable[[Connection], T], connection: Connection) -> T:
    """Do it, and keep it, in one step."""
    done = work(connection)
    connection.commit()
    connection.close()
    return done


def _hold(connection: Connection, *, wanted: Select[Any], now: datetime, hold: timedelta) -> list[OutboxMessage]:
    """Take what is still due for ourselves; a row that can't be read is given up, and listed as such."""
    rows = []
    for row in connection.execute(wanted).all():
        if not _is_whole(row):
            given_up = {"dead": True, "error": "Its row in the ledger can't be read.", "retry_at": to_micros(now)}
            connection.execute(update(deliveries).where(deliveries.c.key == row.key).values(given_up))
            logger.error("given up: the row of the message %s can't be read", str(row.key)[:200])
            continue
        rows.append(row)
        held = {
            "held_until": to_micros(now + hold),
            "attempts": row.attempts + 1,
            "unsure": row.unsure or (row.held_until is not None and row.ts is None),
        }
        connection.execute(update(deliveries).where(deliveries.c.key == row.key).values(**held))
    return [_delivery(row, taken=True) for row in rows]


def _is_whole(row: Row[Any]) -> bool:
    """Whether a message's columns hold what they should: SQLite takes any type."""
    texts, numbers = (row.key, row.place, row.under, row.error), (row.wanted, row.shown, row.attempts)
    place = all(part is None or isinstance(part, str) for part in (row.channel, row.ts))
    return place and all(isinstance(t, str) for t in texts) and all(isinstance(n, int) for n in numbers)


def _named(row: Row[Any]) -> OutboxMessage:
    """A message of which only its name is known for certain."""
    return OutboxMessage(MessageKey(str(row.key)), str(row.place), error=str(row.error))


def _delivery(row: Row[Any], *, taken: bool = False) -> OutboxMessage:
    lost = taken and row.held_until is not None and row.ts is None
    made = OutboxMessage(
        MessageKey(row.key),
        row.place,
        MessageKey(row.under),
        row.wanted,
        row.shown,
        MessageRef(row.channel, row.ts) if row.ts else None,
        MessageRef(row.thread_channel, row.thread_ts) if row.thread_ts else None,
        row.attempts,
        row.unsure or lost,
        row.error,
    )
    return replace(made, attempts=row.attempts + 1) if taken else made
