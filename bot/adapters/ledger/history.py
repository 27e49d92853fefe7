"""What happened when: the digest's days are made of it."""

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
    """The history in the ledger."""

    async def history(self, since: datetime, until: datetime, *, beats: bool = True) -> Sequence[HistoryEvent]:
        """See the port."""
        return _events(await self._rows(_between(since, until, beats=beats)))

    async def drop_history(self, before: datetime) -> None:
        """See the port."""
        await self._change(lambda connection: connection.execute(_replaced(before)).rowcount)


class HistoryWriting(WriteBuffer):
    """The history within a transaction."""

    async def add_history(self, things: Sequence[HistoryEvent]) -> None:
        """See the port."""
        if things:
            rows = [
                {"target": t.target, "subject": t.subject, "at": to_micros(t.at), "what": t.what} for t in things
            ]
            self._write(_add(self._dialect), rows)


def _events(rows: Iterable[Row[Any]]) -> list[HistoryEvent]:
    """What happened, from rows; one whose time is no time is left out."""
    found = []
    for row in rows:
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            found.append(HistoryEvent(str(row.target), str(row.subject), from_micros(row.at), str(row.what)))
    return found


def _between(since: datetime, until: datetime, *, beats: bool) -> Select[Any]:
    """What happened from ``since`` on and before ``until``, in order."""
    within = [history.c.at >= to_micros(since), history.c.at < to_micros(until)]
    if not beats:
        within.append(history.c.what != BEAT)
    return select(history).where(*within).order_by(history.c.at)


def _replaced(before: datetime) -> Any:
    """The statement that throws away what happened before, but the state that each subject was in then."""
    newer = history.alias("newer")
    same = and_(newer.c.target == history.c.target, newer.c.subject == history.c.subject)
    replaced = exists().where(
        same, newer.c.at > history.c.at, newer.c.at < to_micros(before), newer.c.what != BEAT
    )
    return delete(history).where(history.c.at < to_micros(before), or_(history.c.what == BEAT, replaced))


@cache
def _add(dialect: str) -> Any:
    """The statement that adds a row, or does nothing where it is there."""
    return insert(dialect, history).on_conflict_do_nothing()
