"""Moves unreadable rows to a table of their own, with the reason, so that the other rows stay usable."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from bot.adapters.ledger.schema import cases, from_micros, incidents, jobs, set_aside, to_micros
from bot.domain.core.aside import Aside

logger = logging.getLogger("agentpod.ledger")
T = TypeVar("T")
LARGEST = 1 << 20
"""Maximum characters of an unreadable body that are copied to the ``set_aside`` table."""


@dataclass(frozen=True)
class UnreadableRow:
    """A row that can't be read, and why."""

    kind: str
    id: str
    why: str
    body: str


def sort_out(
    kind: str, rows: Iterable[Row[Any]], load: Callable[[Row[Any]], T]
) -> tuple[list[T], list[UnreadableRow]]:
    """Split rows into loaded objects and unreadable live rows.

    Closed rows that can't be read are skipped, as they block nothing. ``load`` raises ValueError for such a row.
    """
    good, bad = [], []
    for row in rows:
        try:
            good.append(load(row))
        except ValueError as error:
            named = row._mapping
            if named.get("live", True):
                id_ = str(named.get("id") or named.get("key"))
                bad.append(UnreadableRow(kind, id_, str(error), str(row.body)[:LARGEST]))
    return good, bad


def put(connection: Connection, bad: Sequence[UnreadableRow]) -> None:
    """Set unreadable rows aside, in the caller's transaction."""
    for one in bad:
        connection.execute(delete(set_aside).where(set_aside.c.kind == one.kind, set_aside.c.id == one.id))
        at = to_micros(datetime.now(UTC))
        row = {"kind": one.kind, "id": one.id, "at": at, "why": one.why, "body": one.body.replace("\0", "")}
        connection.execute(insert(set_aside).values(row))
        connection.execute(_DEACTIVATE[one.kind](one.id))
        logger.error("set aside: the %s %s can't be read: %s", one.kind, one.id, one.why)


def listed(since: datetime) -> Select[Any]:
    """Return the query for the newest 20 rows that were set aside from ``since`` on."""
    return select(set_aside).where(set_aside.c.at >= to_micros(since)).order_by(set_aside.c.at.desc()).limit(20)


def read(rows: Iterable[Row[Any]]) -> list[Aside]:
    """Return the domain's view of ``set_aside`` rows."""
    return [Aside(str(row.kind), str(row.id), from_micros(row.at), str(row.why)) for row in rows]


_DEACTIVATE: dict[str, Callable[[str], Any]] = {
    "incident": lambda id_: update(incidents).where(incidents.c.id == id_).values(live=False),
    "request": lambda id_: update(cases).where(cases.c.id == id_).values(live=False),
    "job": lambda key: delete(jobs).where(jobs.c.key == key),
}
