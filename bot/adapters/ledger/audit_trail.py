"""The append-only audit trail; each record holds the digest of the one before."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select

from bot.adapters.ledger.schema import audit, from_micros, to_micros
from bot.adapters.ledger.session import Session, WriteBuffer
from bot.domain.core import moments
from bot.domain.core.audit import Record, chained

PAGE = 500
"""Audit records read per query."""


class AuditStore(Session):
    """Reads the audit trail."""

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


class AuditWriting(WriteBuffer):
    """Appends to the audit trail within a transaction."""

    _last: Record | None = None

    async def record(
        self, at: datetime, kind: str, actor: str, subject: str, data: Mapping[str, Any] | None = None
    ) -> None:
        """See the port."""
        new = Record(0, at, kind, actor, subject, self._audited.of(_plain(data)))
        self._writes.append(lambda connection: self._append(connection, new))

    async def last_record(self) -> Record | None:
        """See the port."""
        rows = await self._read(_NEWEST)
        return record_of(rows[0]) if rows else None

    def _append(self, connection: Connection, new: Record) -> None:
        if self._last is None:
            row = connection.execute(_NEWEST).first()
            self._last = None if row is None else record_of(row)
        made = self._last = chained(new, self._last)
        values = {
            "number": made.number,
            "at": to_micros(made.at),
            "kind": made.kind,
            "actor": made.actor,
            "subject": made.subject,
            "data": json.dumps(made.data, sort_keys=True, ensure_ascii=False),
            "previous": made.previous,
            "digest": made.digest,
        }
        connection.execute(_APPEND, values)


def record_of(row: Row[Any]) -> Record:
    """Return the audit record of a row; an unreadable one is marked as damaged, with the raw content."""
    kind, actor, subject = str(row.kind), str(row.actor), str(row.subject)
    damaged = ""
    try:
        at = from_micros(row.at)
    except (TypeError, OverflowError):
        at, damaged = from_micros(0), "its time can't be read"
    try:
        data = _object(row.data)
    except (TypeError, ValueError, RecursionError):
        data, damaged = {"unreadable": str(row.data)}, "its data can't be read"
    return Record(row.number, at, kind, actor, subject, data, str(row.previous), str(row.digest), damaged)


def _object(text: str) -> Mapping[str, Any]:
    """Parse a JSON object. Raises ValueError for anything else, also for NaN and Infinity."""
    found = json.loads(text, parse_constant=_no_number)
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def _plain(data: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the data as it will be read back: JSON has no tuples. Times are in full, without marks."""
    plain: dict[str, Any] = json.loads(moments.bare(json.dumps(dict(data or {}), ensure_ascii=False)))
    return plain


# Built once: building a statement costs SQLAlchemy more than running it.
_NEWEST = select(audit).order_by(audit.c.number.desc()).limit(1)
_APPEND = insert(audit).values({c.name: bindparam(c.name) for c in audit.c})
