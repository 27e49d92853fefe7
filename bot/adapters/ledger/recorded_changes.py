"""The record of what changed about the targets and the bot."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select

from bot.adapters.ledger.schema import changes, from_micros, to_micros
from bot.adapters.ledger.session import OUTSIDE, Session, WriteBuffer
from bot.domain.core.change import RESTART, Change, bounded

MOST = 500
"""Most changes that one query returns."""


class ChangeStore(Session):
    """Reads changes."""

    async def changes(
        self,
        since: datetime,
        until: datetime,
        *,
        targets: Collection[str] | None = None,
        restarts: bool | None = None,
        limit: int = 100,
    ) -> Sequence[Change]:
        """See the port."""
        wanted = select(changes).where(changes.c.at >= to_micros(since), changes.c.at <= to_micros(until))
        if targets is not None:
            wanted = wanted.where(changes.c.target.in_(sorted(targets)))
        if restarts is not None:
            wanted = wanted.where((changes.c.kind == RESTART) == restarts)
        order = changes.c.at.desc(), changes.c.id.desc()
        return _loaded(await self._rows(wanted.order_by(*order).limit(min(limit, MOST))))


class ChangeWriting(WriteBuffer):
    """Records changes within a transaction."""

    async def add_changes(self, found: Sequence[Change]) -> None:
        """See the port."""
        made = [bounded(OUTSIDE.of(change)) for change in found]
        if made:
            self._writes.append(lambda connection: _append(connection, made))


def _append(connection: Connection, made: Sequence[Change]) -> None:
    """Insert changes with the next numbers: write transactions are serialized, so no two get the same."""
    newest = connection.execute(_NEWEST).scalar() or 0
    connection.execute(_INSERT, [_columns(change, newest + n) for n, change in enumerate(made, 1)])


def _columns(change: Change, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "target": change.target,
        "kind": change.kind,
        "subject": change.subject,
        "before": change.before,
        "after": change.after,
        "at": to_micros(change.at),
        "not_before": to_micros(change.not_before),
    }


def _loaded(rows: Iterable[Row[Any]]) -> list[Change]:
    """Return the changes of rows, without those whose times can't be read."""
    found = []
    for row in rows:
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            at, not_before = from_micros(row.at), from_micros(row.not_before)
            texts = (str(row.target), str(row.kind), str(row.subject), str(row.before), str(row.after))
            found.append(Change(*texts, at, not_before, int(row.id)))
    return found


_NEWEST = select(func.max(changes.c.id))
_INSERT = insert(changes).values({c.name: bindparam(c.name) for c in changes.c})
