"""One transaction of the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.adapters.ledger.schema import audit, cases, deliveries, from_micros, to_micros
from bot.domain.audit import Record, chained
from bot.domain.repair import Case, from_json, to_json
from bot.errors import Conflict, Permanent

LIVE = cases.c.live.is_(True)


def case_of(row: Row[Any]) -> Case:
    """The case of a row. Raises Permanent for one that can't be read."""
    try:
        case = from_json(row.body)
    except ValueError as error:
        raise Permanent(
            f"The ledger's case {row.id} can't be read: it was changed by hand, or is of another version.",
            remedy="Restore the row from a backup; the audit trail says what it was.",
        ) from error
    return case if case.version == row.version else _versioned(case, row.version)


def _versioned(case: Case, version: int) -> Case:
    from dataclasses import replace

    return replace(case, version=version)


def record_of(row: Row[Any]) -> Record:
    """The audit record of a row."""
    data = json.loads(row.data)
    return Record(
        row.number, from_micros(row.at), row.kind, row.actor, row.subject, data, row.previous, row.digest
    )


class SqlWriting:
    """The Writing port within one open transaction."""

    def __init__(self, connection: AsyncConnection, now: datetime) -> None:
        """``now`` is when what is owed was owed."""
        self._connection, self._now = connection, now
        self._last: Record | None = None

    async def case(self, id_: str) -> Case | None:
        """See the port."""
        found = await self._connection.execute(select(cases).where(cases.c.id == id_))
        row = found.first()
        return None if row is None else case_of(row)

    async def from_origin(self, origin: str) -> Case | None:
        """See the port."""
        row = (await self._connection.execute(select(cases).where(cases.c.origin == origin))).first()
        return None if row is None else case_of(row)

    async def open_cases(self, target: str) -> Sequence[Case]:
        """See the port."""
        wanted = select(cases).where(LIVE, cases.c.target == target).order_by(cases.c.created_at)
        return [case_of(row) for row in (await self._connection.execute(wanted)).all()]

    async def add(self, case: Case) -> None:
        """See the port."""
        await self._connection.execute(
            insert(cases).values(id=case.id, origin=case.origin or None, **_columns(case))
        )

    async def save(self, case: Case) -> Case:
        """See the port."""
        saved = _versioned(case, case.version + 1)
        here = update(cases).where(cases.c.id == case.id, cases.c.version == case.version)
        done = await self._connection.execute(here.values(**_columns(saved)))
        if done.rowcount != 1:
            raise Conflict(f"{case.id} was changed meanwhile.", remedy="Look again.")
        return saved

    async def record(
        self, at: datetime, kind: str, actor: str, subject: str, data: Mapping[str, Any] | None = None
    ) -> Record:
        """See the port."""
        if self._last is None:
            newest = select(audit).order_by(audit.c.number.desc()).limit(1)
            row = (await self._connection.execute(newest)).first()
            self._last = None if row is None else record_of(row)
        made = chained(Record(0, at, kind, actor, subject, _plain(data)), self._last)
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
        await self._connection.execute(insert(audit).values(**values))
        self._last = made
        return made

    async def owe(self, key: str, place: str, under: str = "") -> None:
        """See the port. A new state deserves a new try, whatever became of the last."""
        dialect = sqlite if self._connection.dialect.name == "sqlite" else postgresql
        owed = dialect.insert(deliveries).values(
            key=key, place=place, under=under, wanted=1, created_at=to_micros(self._now)
        )
        again = {"wanted": deliveries.c.wanted + 1, "dead": False, "retry_at": None, "attempts": 0}
        await self._connection.execute(owed.on_conflict_do_update(index_elements=["key"], set_=again))


def _plain(data: Mapping[str, Any] | None) -> dict[str, Any]:
    """As it will be read again: JSON knows no tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(data or {})))
    return plain


def _columns(case: Case) -> dict[str, Any]:
    return {
        "target": case.target,
        "state": case.state.value,
        "live": not case.state.final,
        "requester": case.request.requester,
        "created_at": to_micros(case.request.created_at),
        "expires_at": to_micros(case.request.expires_at),
        "held_until": to_micros(case.held.until) if case.held else None,
        "version": case.version,
        "body": to_json(case),
    }
