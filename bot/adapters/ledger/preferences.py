"""People's preferences, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, select

from bot.adapters.ledger.schema import preferences
from bot.adapters.ledger.session import Session, WriteBuffer
from bot.adapters.ledger.upserts import upsert
from bot.domain.outbox.preferences import Preferences, from_json, to_json


class PreferenceStore(Session):
    """Reads preferences."""

    async def preferences(self) -> Sequence[Preferences]:
        """See the port. A row that can't be read is left out."""
        return _readable(await self._rows(_ALL))


class PreferenceWriting(WriteBuffer):
    """Reads and saves preferences within a transaction."""

    async def preferences(self) -> Sequence[Preferences]:
        """See the port. A row that can't be read is left out, and overwritten by the person's next change."""
        return _readable(await self._read(_ALL))

    async def save_preferences(self, one: Preferences) -> None:
        """See the port."""
        self._write(upsert(self._dialect, preferences, "person"), {"person": one.user, "body": to_json(one)})

    async def drop_preferences(self, user: str) -> None:
        """See the port."""
        self._write(_DROP, {"this": user})


def _readable(rows: Sequence[Row[Any]]) -> list[Preferences]:
    found = []
    for row in rows:
        try:
            one = from_json(row.body)
        except ValueError:
            continue
        found += [one] if one.user == row.person else []
    return found


_ALL = select(preferences).order_by(preferences.c.person)
_DROP = delete(preferences).where(preferences.c.person == bindparam("this"))
