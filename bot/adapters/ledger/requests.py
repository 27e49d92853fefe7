"""Repair requests, one row each, saved with optimistic locking on their version."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, insert, or_, select, update

from bot.adapters.ledger.schema import cases, from_micros, to_micros
from bot.adapters.ledger.session import Session, WriteBuffer
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.kept_form import kept_form
from bot.domain.approvals.repair import RepairRequest, from_json
from bot.errors import Conflict, Permanent

_LIVE = cases.c.live.is_(True)
_DEADLINES = select(cases.c.state, cases.c.expires_at).where(_LIVE)


class RequestStore(Session):
    """Reads repair requests."""

    async def request(self, id_: str) -> RepairRequest | None:
        """See the port."""
        rows = await self._rows(select(cases).where(cases.c.id == id_))
        return _request_of(rows[0]) if rows else None

    async def requests(
        self,
        *,
        states: Collection[RequestState] | None = None,
        target: str | None = None,
        targets: Collection[str] | None = None,
        requester: str | None = None,
        since: datetime | None = None,
        limit: int | None = 100,
    ) -> Sequence[RepairRequest]:
        """See the port. A request that can't be read is left out."""
        wanted = select(cases).order_by(cases.c.created_at.desc(), cases.c.id).limit(limit)
        if states is not None:
            wanted = wanted.where(cases.c.state.in_(sorted(s.value for s in states)))
        if target is not None:
            wanted = wanted.where(cases.c.target == target)
        if targets is not None:
            wanted = wanted.where(cases.c.target.in_(sorted(targets)))
        if requester is not None:
            wanted = wanted.where(cases.c.requester == requester)
        if since is not None:
            wanted = wanted.where(cases.c.created_at >= to_micros(since))
        return await self._requests(wanted)

    async def overdue(self, now: datetime) -> Sequence[RepairRequest]:
        """See the port."""
        late = cases.c.expires_at <= to_micros(now)
        return await self._requests(select(cases).where(cases.c.state == RequestState.OPEN.value, late).limit(100))

    async def without_lease(self, now: datetime) -> Sequence[RepairRequest]:
        """See the port."""
        begun = cases.c.state.in_([RequestState.APPROVED.value, RequestState.EXECUTING.value])
        free = or_(cases.c.held_until.is_(None), cases.c.held_until <= to_micros(now))
        return await self._requests(select(cases).where(_LIVE, begun, free).limit(100))

    async def next_deadline(self, now: datetime) -> datetime | None:
        """See the port."""
        rows = await self._rows(_DEADLINES)
        if any(row.state != RequestState.OPEN.value for row in rows):
            return now
        ends = [row.expires_at for row in rows if isinstance(row.expires_at, int)]
        return from_micros(min(ends)) if ends else None

    async def _requests(self, wanted: Select[Any]) -> list[RepairRequest]:
        return await self._load_rows("request", await self._rows(wanted), _load)


class RequestWriting(WriteBuffer):
    """Reads and saves repair requests within a transaction."""

    async def request(self, id_: str) -> RepairRequest | None:
        """See the port."""
        rows = await self._read(_REQUEST, this=id_)
        return _request_of(rows[0]) if rows else None

    async def from_origin(self, origin: str) -> RepairRequest | None:
        """See the port."""
        rows = await self._read(select(cases).where(cases.c.origin == origin))
        return _request_of(rows[0]) if rows else None

    async def open_requests(self, target: str) -> Sequence[RepairRequest]:
        """See the port."""
        wanted = select(cases).where(_LIVE, cases.c.target == target).order_by(cases.c.created_at)
        return await self._load_rows("request", await self._read(wanted), _load)

    async def add(self, repair: RepairRequest) -> None:
        """See the port."""
        self._write(_ADD, {"id": repair.id, "origin": repair.origin or None, **_columns(repair)})

    async def save(self, repair: RepairRequest) -> RepairRequest:
        """See the port."""
        saved = replace(repair, version=repair.version + 1)
        values = {**_columns(saved), "this": repair.id, "before": repair.version}

        def write(connection: Connection) -> None:
            if connection.execute(_SAVE, values).rowcount != 1:
                raise Conflict(f"{repair.id} was changed meanwhile.", remedy="Look again.")

        self._writes.append(write)
        return saved


def _request_of(row: Row[Any]) -> RepairRequest:
    """Return the request of a row. Raises Permanent for one that can't be read."""
    try:
        return _load(row)
    except ValueError as error:
        raise Permanent(
            f"The request {row.id} can't be read: {error}.",
            remedy="It was changed by hand, or is of another version. The audit trail says what it was.",
        ) from error


def _load(row: Row[Any]) -> RepairRequest:
    """Return the request of a row. Raises ValueError for one that can't be read."""
    repair = from_json(row.body)
    if repair.id != row.id:
        raise ValueError("it is about another request")
    return repair if repair.version == row.version else replace(repair, version=row.version)


def _columns(repair: RepairRequest) -> dict[str, Any]:
    return {
        "target": repair.target,
        "state": repair.state.value,
        "live": not repair.state.final,
        "requester": repair.request.requester,
        "created_at": to_micros(repair.request.created_at),
        "expires_at": to_micros(repair.request.expires_at),
        "held_until": to_micros(repair.held.until) if repair.held else None,
        "version": repair.version,
        "body": json.dumps(kept_form(repair)),
    }


_COLUMNS = ("target", "state", "live", "requester", "created_at", "expires_at", "held_until", "version", "body")
# Built once: building a statement costs SQLAlchemy more than running it.
_REQUEST = select(cases).where(cases.c.id == bindparam("this"))
_ADD = insert(cases).values({n: bindparam(n) for n in ("id", "origin", *_COLUMNS)})
_SAVE = (
    update(cases)
    .where(cases.c.id == bindparam("this"), cases.c.version == bindparam("before"))
    .values({n: bindparam(n) for n in _COLUMNS})
)
