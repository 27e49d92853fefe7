"""Incidents, open and resolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, or_, select

from bot.adapters.ledger.marks import MarkWriting
from bot.adapters.ledger.schema import incidents, to_micros
from bot.adapters.ledger.session import Session
from bot.adapters.ledger.upserts import upsert
from bot.domain.incidents import alerting
from bot.domain.incidents.alerting import Incident, IncidentState


class IncidentStore(Session):
    """Reads incidents."""

    async def incident(self, id_: str) -> Incident | None:
        """See the port."""
        found = await self._incidents(select(incidents).where(incidents.c.id == id_))
        return found[0] if found else None

    async def incidents(
        self,
        *,
        live: bool | None = None,
        since: datetime | None = None,
        notified: bool = True,
        group: str = "",
        issue: str = "",
        key: str = "",
        limit: int | None = 100,
    ) -> Sequence[Incident]:
        """See the port."""
        wanted = select(incidents).where(incidents.c.told.is_(notified)).order_by(incidents.c.opened_at.desc())
        if live is not None:
            wanted = wanted.where(incidents.c.live.is_(live))
        if since is not None:
            wanted = wanted.where(_open_or_ended(since))
        if group:
            wanted = wanted.where(incidents.c.message_group == group)
        if issue:
            wanted = wanted.where(incidents.c.issue == issue)
        if key:
            wanted = wanted.where(incidents.c.key == key)
        return await self._incidents(wanted.limit(limit))

    async def _incidents(self, wanted: Select[Any]) -> list[Incident]:
        return await self._load_rows("incident", await self._rows(wanted), _load)


class IncidentWriting(MarkWriting):
    """Reads and saves incidents within a transaction. Many rows are saved with one or two statements."""

    async def incident(self, id_: str) -> Incident | None:
        """See the port."""
        found = await self._incidents(await self._read(_INCIDENT, this=id_))
        return found[0] if found else None

    async def newest_incidents(self, since: datetime) -> Mapping[str, Incident]:
        """See the port."""
        # The dict below keeps the last of each key: newer ones come later, and an open one last.
        wanted = select(incidents).where(_open_or_ended(since)).order_by(incidents.c.live, incidents.c.opened_at)
        return {i.key: i for i in await self._incidents(await self._read(wanted))}

    async def save_incidents(self, changed: Sequence[Incident]) -> None:
        """See the port."""
        if changed:
            self._touch()
            over = [_columns(i) for i in changed if not i.open]
            live = [_columns(i) for i in changed if i.open]
            for rows in (over, live):  # only one incident of a key may be live: resolve the old one first
                if rows:
                    self._write(upsert(self._dialect, incidents, "id"), rows)

    async def _incidents(self, rows: Sequence[Row[Any]]) -> list[Incident]:
        return await self._load_rows("incident", rows, _load)


def _open_or_ended(since: datetime) -> Any:
    return or_(incidents.c.live.is_(True), incidents.c.resolved_at >= to_micros(since))


def _load(row: Row[Any]) -> Incident:
    """Return the incident of a row. Raises ValueError for one that can't be read."""
    found = alerting.from_json(row.body)
    if (found.id, found.key) != (row.id, row.key):
        raise ValueError("it is about another incident")
    return found


def _columns(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "key": incident.key,
        "target": incident.problem.target,
        "state": incident.state.value,
        "live": incident.state is not IncidentState.RESOLVED,
        "told": incident.notified,
        "opened_at": to_micros(incident.opened_at),
        "resolved_at": to_micros(incident.resolved_at) if incident.resolved_at else None,
        "version": incident.version,
        "message_group": incident.group or None,
        "issue": incident.problem.issue or None,
        "body": alerting.to_json(incident),
    }


_INCIDENT = select(incidents).where(incidents.c.id == bindparam("this"))
