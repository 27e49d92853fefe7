"""Deletes rows that were closed long ago, a bounded number at a time. The audit trail is never touched.

A row stays while another one needs it: a request or an incident with a pending message, an incident that shares
its message with one that is kept, a message whose request or incident is kept or that has others in its thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from bot.adapters.ledger.schema import cases, changes, deliveries, evidence, incidents
from bot.domain.outbox.key import MessageKey

MOST_CHANGES = 20_000
"""Most changes that are kept, however young."""
_PENDING = and_(deliveries.c.wanted > deliveries.c.shown, deliveries.c.dead.is_(False))
Free = Callable[[Sequence[Row[Any]]], list[str]]
"""Returns the ids (keys, for messages) of the rows that nothing needs, out of rows that are old enough."""


def drop_closed(connection: Connection, before: int, limit: int) -> int:
    """Delete what was closed before ``before``, at most ``limit`` rows per table; return the number of rows."""
    keys = connection.execute(select(deliveries.c.key).where(_PENDING)).scalars()
    pending = {MessageKey(key).id for key in keys}

    def unneeded(rows: Sequence[Row[Any]]) -> list[str]:
        return [row.id for row in rows if row.id not in pending and row.shared not in pending]

    def about_nothing(rows: Sequence[Row[Any]]) -> list[str]:
        kept = _kept(connection, {MessageKey(row.key).id for row in rows})
        return [row.key for row in rows if MessageKey(row.key).id not in kept]

    by_age, by_end = (cases.c.created_at, cases.c.id), (incidents.c.resolved_at, incidents.c.id)
    requests = _pick(connection, _closed_requests(before), by_age, limit, unneeded)
    connection.execute(delete(cases).where(cases.c.id.in_(requests)))
    resolved = _pick(connection, _resolved_incidents(before), by_end, limit, unneeded)
    connection.execute(delete(incidents).where(incidents.c.id.in_(resolved)))
    connection.execute(delete(evidence).where(evidence.c.incident.in_(resolved)))
    by_time = (deliveries.c.created_at, deliveries.c.key)
    messages = _pick(connection, _settled_messages(before), by_time, limit, about_nothing)
    connection.execute(delete(deliveries).where(deliveries.c.key.in_(messages)))
    return len(requests) + len(resolved) + len(messages) + _drop_changes(connection, before, limit)


def _drop_changes(connection: Connection, before: int, limit: int) -> int:
    """Delete old changes, and those beyond `MOST_CHANGES`. The newest stays: the next number follows from it."""
    newest = connection.execute(select(func.max(changes.c.id))).scalar() or 0
    old = and_(or_(changes.c.at < before, changes.c.id <= newest - MOST_CHANGES), changes.c.id < newest)
    found = connection.execute(select(changes.c.id).where(old).order_by(changes.c.id).limit(limit)).scalars().all()
    connection.execute(delete(changes).where(changes.c.id.in_(found)))
    return len(found)


def _pick(
    connection: Connection, wanted: Select[Any], by: tuple[ColumnElement[Any], ...], limit: int, free: Free
) -> list[str]:
    """Return the ids of the first ``limit`` deletable rows in the order of ``by``, the query's first columns."""
    wanted = wanted.order_by(*by).limit(limit)
    found: list[str] = []
    rows = connection.execute(wanted).all()
    while rows and len(found) < limit:
        found += free(rows)
        last = [literal(value, column.type) for value, column in zip(rows[-1], by, strict=False)]
        rows = connection.execute(wanted.where(tuple_(*by) > tuple_(*last))).all()
    return found[:limit]


def _closed_requests(before: int) -> Select[Any]:
    """Closed requests by creation and expiry time: their end is not a column, and comes soon after the expiry."""
    old = [cases.c.live.is_(False), cases.c.created_at < before, cases.c.expires_at < before]
    return select(cases.c.created_at, cases.c.id, literal("").label("shared")).where(*old)


def _resolved_incidents(before: int) -> Select[Any]:
    other = incidents.alias("other")
    kept = or_(other.c.live.is_(True), other.c.resolved_at.is_(None), other.c.resolved_at >= before)
    shown_with = exists().where(other.c.message_group == incidents.c.message_group, kept)
    old = [incidents.c.live.is_(False), incidents.c.resolved_at < before]
    shared = incidents.c.message_group.label("shared")
    return select(incidents.c.resolved_at, incidents.c.id, shared).where(*old, ~shown_with)


def _settled_messages(before: int) -> Select[Any]:
    """Messages without others in their thread; a thread's parent follows once its replies are gone."""
    below = deliveries.alias("below")
    last_tried = func.coalesce(deliveries.c.retry_at, deliveries.c.created_at)
    old = [deliveries.c.created_at < before, last_tried < before, ~_PENDING, deliveries.c.held_until.is_(None)]
    alone = ~exists().where(below.c.under == deliveries.c.key)
    return select(deliveries.c.created_at, deliveries.c.key).where(*old, alone)


def _kept(connection: Connection, subjects: Collection[str]) -> set[str]:
    """Return which subjects (ids of requests, incidents and message groups) the ledger still has."""
    these = sorted(subjects)
    found: set[str] = set()
    for column in (cases.c.id, incidents.c.id, incidents.c.message_group):
        found.update(connection.execute(select(column).where(column.in_(these))).scalars())
    return found
