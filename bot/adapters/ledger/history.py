"""The history events in the ledger, from which the digest builds its timelines."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, and_, delete, exists, or_, select

from bot.adapters.ledger.schema import from_micros, history, to_micros
from bot.adapters.ledger.session import Session, WriteBuffer
from bot.adapters.ledger.upserts import insert
from bot.domain.core.history import BEAT, HistoryEvent


class HistoryStore(Session):
    """Reads and prunes the history."""

    async def history(self, since: datetime, until: datetime, *, beats: bool = True) -> Sequence[HistoryEvent]:
        """See the port."""
        return _events(await self._rows(_between(since, until, beats=beats)))

    async def drop_history(self, before: datetime) -> None:
        """See the port."""
        await self._change(lambda connection: connection.execute(_delete_superseded(before)).rowcount)


class HistoryWriting(WriteBuffer):
    """Adds history events within a transaction."""

    async def add_history(self, things: Sequence[HistoryEvent]) -> None:
        """See the port."""
        if things:
            rows = [
                {"target": t.target, "subject": t.subject, "at": to_micros(t.at), "what": t.what} for t in things
            ]
            self._write(_add(self._dialect), rows)


def _events(rows: Iterable[Row[Any]]) -> list[HistoryEvent]:
    """Return the events of rows, without those whose time can't be read."""
    found = []
    for row in rows:
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            found.append(HistoryEvent(str(row.target), str(row.subject), from_micros(row.at), str(row.what)))
    return found


def _between(since: datetime, until: datetime, *, beats: bool) -> Select[Any]:
    """Return the query for the events from ``since`` (inclusive) to ``until`` (exclusive), oldest first."""
    within = [history.c.at >= to_micros(since), history.c.at < to_micros(until)]
    if not beats:
        within.append(history.c.what != BEAT)
    return select(history).where(*within).order_by(history.c.at)


def _delete_superseded(before: datetime) -> Any:
    """Return the statement that deletes what happened before ``before``, except each subject's last state."""
    newer = history.alias("newer")
    same = and_(newer.c.target == history.c.target, newer.c.subject == history.c.subject)
    replaced = exists().where(
        same, newer.c.at > history.c.at, newer.c.at < to_micros(before), newer.c.what != BEAT
    )
    return delete(history).where(history.c.at < to_micros(before), or_(history.c.what == BEAT, replaced))


@cache
def _add(dialect: str) -> Any:
    """Return the statement that inserts a row unless it exists."""
    return insert(dialect, history).on_conflict_do_nothing()
