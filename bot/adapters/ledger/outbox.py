"""The outbox's messages: which state each has to show, where it was posted, and until when a worker holds it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)

from bot.adapters.ledger.schema import deliveries, from_micros, to_micros
from bot.adapters.ledger.session import Session, WriteBuffer
from bot.adapters.ledger.upserts import insert
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import MessageRef, OutboxMessage

logger = logging.getLogger("agentpod.ledger")

STUCK = 5
"""Attempts after which a message that is still pending is listed as undeliverable."""

_PENDING = deliveries.c.wanted > deliveries.c.shown
_DEAD = deliveries.c.dead.is_(True)
_UNPOSTED = deliveries.c.ts.is_(None)
_ABOVE = deliveries.alias("above")
"""The parent message of a thread."""


class OutboxStore(Session):
    """Reads messages, leases them to a worker, and records how their delivery went."""

    async def take(
        self, now: datetime, hold: timedelta, limit: int = 20, *, without: Collection[str] = ()
    ) -> Sequence[OutboxMessage]:
        """See the port."""
        wanted, values = _due(), {"now": to_micros(now), "most": limit}
        if without:
            wanted = wanted.where(deliveries.c.place.not_in(list(without)))
        if not await self._rows(wanted, **values):  # mostly nothing is due: no write transaction then
            return ()
        return await self._change(partial(_hold, wanted=wanted, values=values, now=now, hold=hold))

    async def next_due(self, now: datetime) -> datetime | None:
        """See the port."""
        at = to_micros(now)
        rows = await self._rows(_later(), now=at)
        times = [t for row in rows for t in (row.retry_at, row.held_until, row.not_before) if isinstance(t, int)]
        later = [t for t in times if t > at]
        return from_micros(min(later)) if later else None

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
            logger.warning("message posted twice: another process had posted it", extra={"delivery": delivery.key})

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
        moves = [_reroute(kind, place, since) for kind, place in places.items()]
        return await self._change(lambda connection: sum(connection.execute(move).rowcount for move in moves))

    async def dropped(self, delivery: OutboxMessage) -> None:
        """See the port."""
        await self._change(lambda connection: connection.execute(_drop(delivery)).rowcount)

    async def delivery(self, key: MessageKey) -> OutboxMessage | None:
        """See the port."""
        rows = await self._rows(_messages(deliveries.c.key == key))
        return _message(rows[0]) if rows and _is_readable(rows[0]) else None

    async def posted_at(self, at: MessageRef) -> MessageKey | None:
        """See the port."""
        here = deliveries.c.ts == at.ts, deliveries.c.channel == at.channel
        rows = await self._rows(select(deliveries.c.key).where(*here).limit(1))
        return MessageKey(rows[0].key) if rows else None

    async def dead(self, since: datetime, limit: int = 1000) -> Sequence[OutboxMessage]:
        """See the port. Dead messages of earlier versions have no time of the last try: their creation counts."""
        lately = func.coalesce(deliveries.c.retry_at, deliveries.c.created_at) >= to_micros(since)
        hopeless = or_(deliveries.c.attempts >= STUCK, deliveries.c.refused.is_(True))
        stuck = and_(~_DEAD, _PENDING, deliveries.c.error != "", hopeless)
        these = _messages(or_(and_(_DEAD, lately), stuck))
        rows = await self._rows(these.order_by(deliveries.c.created_at.desc()).limit(limit))
        return [_message(row) if _is_readable(row) else _placeholder(row) for row in rows]

    async def waiting(self) -> int:
        """See the port."""
        rows = await self._rows(select(func.count()).select_from(deliveries).where(_PENDING, ~_DEAD))
        return int(rows[0][0])


class OutboxWriting(WriteBuffer):
    """Enqueues messages within a transaction. Many rows are saved with one statement."""

    async def enqueue(
        self, key: MessageKey, place: str, under: str = "", *, not_before: datetime | None = None
    ) -> None:
        """See the port. A new state resets the attempts, also of a message that was given up."""
        self._enqueue([(key, place, under)], not_before)

    async def enqueue_all(self, pending: Sequence[tuple[MessageKey, str, str]]) -> None:
        """See the port."""
        if pending:
            self._enqueue(pending, None)

    def _enqueue(self, pending: Sequence[tuple[MessageKey, str, str]], not_before: datetime | None) -> None:
        at = {
            "wanted": 1,
            "created_at": to_micros(self._now),
            "not_before": to_micros(not_before) if not_before is not None else None,
        }
        self._write(_enqueue(self._dialect), [{"key": k, "place": p, "under": u, **at} for k, p, u in pending])

    async def refresh(self, key: MessageKey) -> None:
        """See the port."""
        self._write(_REFRESH, {"this": key})

    async def delayed(self, place: str, now: datetime) -> Sequence[MessageKey]:
        """See the port."""
        later = deliveries.c.not_before > to_micros(now)
        wanted = select(deliveries.c.key).where(deliveries.c.place == place, _PENDING, ~_DEAD, _UNPOSTED, later)
        return [MessageKey(row.key) for row in await self._read(wanted.order_by(deliveries.c.created_at))]

    async def delay(self, key: MessageKey, not_before: datetime | None) -> None:
        """See the port."""
        at = to_micros(not_before) if not_before is not None else None
        self._write(_DELAY, {"this": key, "at": at})

    async def unposted(self, keys: Sequence[MessageKey]) -> frozenset[MessageKey]:
        """See the port."""
        if not keys:
            return frozenset()
        wanted = select(deliveries.c.key).where(deliveries.c.key.in_(keys), _UNPOSTED)
        return frozenset(MessageKey(row.key) for row in await self._read(wanted))


def free_held(connection: Connection) -> None:
    """Free the messages that a dead process held; unposted ones become unsure, as it may have posted them."""
    held = deliveries.c.held_until.is_not(None)
    connection.execute(update(deliveries).where(held, _UNPOSTED).values(unsure=True))
    connection.execute(update(deliveries).where(held).values(held_until=None))


# -- queries


def _messages(*wanted: ColumnElement[bool]) -> Select[Any]:
    """Return the query for messages, each with the channel and timestamp of its thread's parent."""
    thread = (_ABOVE.c.channel.label("thread_channel"), _ABOVE.c.ts.label("thread_ts"))
    joined = deliveries.outerjoin(_ABOVE, _ABOVE.c.key == deliveries.c.under)
    return select(deliveries, *thread).select_from(joined).where(*wanted)


@cache
def _due() -> Select[Any]:
    """The first ``most`` messages that are due ``now``. Made once: to make it costs more than to run it."""
    now = bindparam("now", type_=BigInteger)
    wanted = _messages(
        _PENDING,
        ~_DEAD,
        or_(deliveries.c.retry_at.is_(None), deliveries.c.retry_at <= now),
        or_(deliveries.c.held_until.is_(None), deliveries.c.held_until <= now),
        or_(deliveries.c.not_before.is_(None), deliveries.c.not_before <= now),
        or_(deliveries.c.under == "", and_(_thread_is_posted(), ~_earlier_reply_pending())),
    )
    return wanted.order_by(deliveries.c.created_at, deliveries.c.key).limit(bindparam("most", type_=Integer))


@cache
def _later() -> Select[Any]:
    """When pending messages come due after ``now``."""
    now = bindparam("now", type_=BigInteger)
    columns = (deliveries.c.retry_at, deliveries.c.held_until, deliveries.c.not_before)
    return select(*columns).where(_PENDING, ~_DEAD, or_(*(column > now for column in columns)))


def _thread_is_posted() -> ColumnElement[bool]:
    """The thread's parent is posted and no edit of it is due: the edit may find it deleted and post it again."""
    tried = and_(_ABOVE.c.dead.is_(False), _ABOVE.c.refused.is_(False), _ABOVE.c.error == "")
    return and_(_ABOVE.c.ts.is_not(None), ~and_(_ABOVE.c.wanted > _ABOVE.c.shown, tried))


def _earlier_reply_pending() -> ColumnElement[bool]:
    """An older message of the same thread is not posted yet: replies keep their order."""
    other = deliveries.alias("other")
    older = or_(
        other.c.created_at < deliveries.c.created_at,
        and_(other.c.created_at == deliveries.c.created_at, other.c.key < deliveries.c.key),
    )
    tried = and_(other.c.dead.is_(False), other.c.refused.is_(False))
    waits = and_(other.c.ts.is_(None), other.c.wanted > other.c.shown, tried)
    return exists().where(other.c.under == deliveries.c.under, older, waits)


# -- statements

_RESET_ATTEMPTS = {"dead": False, "refused": False, "retry_at": None, "attempts": 0}
_NEW_STATE: dict[str, Any] = {"wanted": deliveries.c.wanted + 1, **_RESET_ATTEMPTS}
"""A new state resets the attempts, also of a message that was given up."""
_REFRESH = update(deliveries).where(deliveries.c.key == bindparam("this")).values(_NEW_STATE)

_DELAY = (
    update(deliveries)
    .where(deliveries.c.key == bindparam("this"), _UNPOSTED)
    .values(not_before=bindparam("at", type_=BigInteger))
)


@cache
def _enqueue(dialect: str) -> Any:
    """Return the statement that adds a message, or marks an existing one for an update."""
    made = insert(dialect, deliveries, "key", "place", "under", "wanted", "created_at", "not_before")
    # An unposted message can still move: into a group's thread, or to a channel corrected in the settings.
    moved = {name: case((_UNPOSTED, made.excluded[name]), else_=deliveries.c[name]) for name in ("place", "under")}
    return made.on_conflict_do_update(index_elements=["key"], set_={**_NEW_STATE, **moved})


def _drop(delivery: OutboxMessage) -> Any:
    """Return the statement that cancels an unposted message and the unposted ones in its thread.

    The message itself stays pending if it was enqueued again after the worker took it.
    """
    mine = deliveries.c.key == delivery.key
    these = or_(mine, deliveries.c.under == delivery.key)
    shown = case((mine, delivery.wanted), else_=deliveries.c.wanted)
    never = {"shown": shown, "held_until": None, "error": "", "dead": False, "refused": False}
    return update(deliveries).where(these, _UNPOSTED).values(never)


def _reroute(kind: str, place: str, since: datetime) -> Any:
    """Return the statement that changes the place of a kind's pending messages that were never posted."""
    these = [deliveries.c.key.startswith(MessageKey.prefix(kind)), deliveries.c.place != place]
    anew = {"place": place, **_RESET_ATTEMPTS, "error": ""}
    lately = deliveries.c.created_at >= to_micros(since)
    return update(deliveries).where(*these, _PENDING, _UNPOSTED, lately).values(anew)


def _hold(
    connection: Connection, *, wanted: Select[Any], values: Mapping[str, int], now: datetime, hold: timedelta
) -> list[OutboxMessage]:
    """Lease the messages that are still due; an unreadable row is marked dead, so that it is listed as such."""
    rows = []
    for row in connection.execute(wanted, values).all():
        if not _is_readable(row):
            given_up = {"dead": True, "error": "Its row in the ledger can't be read.", "retry_at": to_micros(now)}
            connection.execute(update(deliveries).where(deliveries.c.key == row.key).values(given_up))
            logger.error("message given up: the row of %s can't be read", str(row.key)[:200])
            continue
        rows.append(row)
        held = {
            "held_until": to_micros(now + hold),
            "attempts": row.attempts + 1,
            "unsure": row.unsure or (row.held_until is not None and row.ts is None),
        }
        connection.execute(update(deliveries).where(deliveries.c.key == row.key).values(**held))
    return [_message(row, taken=True) for row in rows]


# -- rows


def _is_readable(row: Row[Any]) -> bool:
    """Whether a message's columns have the right types: SQLite accepts any."""
    texts, numbers = (row.key, row.place, row.under, row.error), (row.wanted, row.shown, row.attempts)
    place = all(part is None or isinstance(part, str) for part in (row.channel, row.ts))
    return place and all(isinstance(t, str) for t in texts) and all(isinstance(n, int) for n in numbers)


def _placeholder(row: Row[Any]) -> OutboxMessage:
    """Return a message with only its key, place and error, for a row that can't be read."""
    return OutboxMessage(MessageKey(str(row.key)), str(row.place), error=str(row.error))


def _message(row: Row[Any], *, taken: bool = False) -> OutboxMessage:
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
