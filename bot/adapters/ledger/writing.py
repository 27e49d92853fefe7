"""One transaction of the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, update

from bot.adapters.ledger.database import Run
from bot.adapters.ledger.schema import audit, cases, from_micros, to_micros
from bot.adapters.ledger.watching import WatchWriting
from bot.domain.approvals.repair import RepairRequest, from_json, to_json
from bot.domain.core.audit import Record, chained
from bot.domain.core.outside import Outside
from bot.domain.outbox.key import MessageKey
from bot.errors import Conflict, Permanent

CLOCK = select(func.clock_timestamp())
"""PostgreSQL's time at this moment, not at the transaction's beginning."""
LIVE = cases.c.live.is_(True)


def case_of(row: Row[Any]) -> RepairRequest:
    """The case of a row. Raises Permanent for one that can't be read."""
    try:
        return load_case(row)
    except ValueError as error:
        raise Permanent(
            f"The request {row.id} can't be read: {error}.",
            remedy="It was changed by hand, or is of another version. The audit trail says what it was.",
        ) from error


def load_case(row: Row[Any]) -> RepairRequest:
    """The case of a row. Raises ValueError for one that can't be read."""
    case = from_json(row.body)
    if case.id != row.id:
        raise ValueError("it is about another request")
    return case if case.version == row.version else _versioned(case, row.version)


def _versioned(case: RepairRequest, version: int) -> RepairRequest:
    return replace(case, version=version)


def record_of(row: Row[Any]) -> Record:
    """The audit record of a row. One that was changed to something unreadable is marked so, with what is there."""
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
    """A JSON object. Raises ValueError for anything else, also for the numbers that JSON does not have."""
    found = json.loads(text, parse_constant=_no_number)
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


class SqlWriting(WatchWriting):
    """The Writing port within an open transaction. What is written is kept back, and done in one go at the end."""

    def __init__(self, run: Run, dialect: str, now: datetime) -> None:
        """``now`` is when a message was enqueued."""
        self._run, self._dialect, self._now = run, dialect, now
        self._writes: list[Callable[[Connection], None]] = []
        self._last: Record | None = None

    async def _read(self, wanted: Select[Any], **values: str) -> Sequence[Row[Any]]:
        """Rows, with everything that was written before."""

        def read(connection: Connection) -> Sequence[Row[Any]]:
            self.flush(connection)
            return connection.execute(wanted, values).all()

        return await self._run(read)

    async def now(self, here: datetime) -> datetime:
        """See the port."""
        if self._dialect != "postgresql":
            return here
        at: datetime = (await self._read(CLOCK))[0][0]
        return at

    def flush(self, connection: Connection) -> None:
        """Do what is kept back. Raises what the database does, and Conflict."""
        writes, self._writes = self._writes, []
        for write in writes:
            write(connection)

    async def case(self, id_: str) -> RepairRequest | None:
        """See the port."""
        rows = await self._read(_CASE, this=id_)
        return case_of(rows[0]) if rows else None

    async def from_origin(self, origin: str) -> RepairRequest | None:
        """See the port."""
        rows = await self._read(select(cases).where(cases.c.origin == origin))
        return case_of(rows[0]) if rows else None

    async def open_cases(self, target: str) -> Sequence[RepairRequest]:
        """See the port."""
        wanted = select(cases).where(LIVE, cases.c.target == target).order_by(cases.c.created_at)
        return await self._sorted_out("request", await self._read(wanted), load_case)

    async def add(self, case: RepairRequest) -> None:
        """See the port."""
        values = {"id": case.id, "origin": case.origin or None, **_columns(case)}
        self._writes.append(lambda connection: _done(connection.execute(_ADD, values)))

    async def save(self, case: RepairRequest) -> RepairRequest:
        """See the port."""
        saved = _versioned(case, case.version + 1)
        values = {**_columns(saved), "this": case.id, "before": case.version}

        def write(connection: Connection) -> None:
            if connection.execute(_SAVE, values).rowcount != 1:
                raise Conflict(f"{case.id} was changed meanwhile.", remedy="Look again.")

        self._writes.append(write)
        return saved

    async def record(
        self, at: datetime, kind: str, actor: str, subject: str, data: Mapping[str, Any] | None = None
    ) -> None:
        """See the port."""
        new = Record(0, at, kind, actor, subject, _plain(data))
        self._writes.append(lambda connection: self._append(connection, new))

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

    async def enqueue(self, key: MessageKey, place: str, under: str = "") -> None:
        """See the port. A new state deserves a new try, whatever became of the last."""
        await self.enqueue_all([(key, place, under)])


_COLUMNS = (
    *("target", "state", "live", "requester", "created_at", "expires_at", "held_until", "version", "body"),
)
# Made once: to build a statement costs SQLAlchemy more than to run it.
_CASE = select(cases).where(cases.c.id == bindparam("this"))
_ADD = insert(cases).values({n: bindparam(n) for n in ("id", "origin", *_COLUMNS)})
_SAVE = (
    update(cases)
    .where(cases.c.id == bindparam("this"), cases.c.version == bindparam("before"))
    .values({n: bindparam(n) for n in _COLUMNS})
)
_NEWEST = select(audit).order_by(audit.c.number.desc()).limit(1)
_APPEND = insert(audit).values({c.name: bindparam(c.name) for c in audit.c})


def _done(_: object) -> None:
    """A statement without a result."""


def _plain(data: Mapping[str, Any] | None) -> dict[str, Any]:
    """As it will be read again: JSON knows no tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(data or {})))
    return _OUTSIDE.of(plain)


_OUTSIDE = Outside()
"""What looks like a secret is kept nowhere: errors quote what an API server or a person said."""


def _columns(case: RepairRequest) -> dict[str, Any]:
    return {
        "target": case.target,
        "state": case.state.value,
        "live": not case.state.final,
        "requester": case.request.requester,
        "created_at": to_micros(case.request.created_at),
        "expires_at": to_micros(case.request.expires_at),
        "held_until": to_micros(case.held.until) if case.held else None,
        "version": case.version,
        "body": json.dumps(_OUTSIDE.of(json.loads(to_json(case)))),
    }
