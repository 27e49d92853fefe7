"""Named single values. One of them, `WATCHED`, is the version of the incidents and job states."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

from sqlalchemy import Integer, Text, bindparam, cast, literal, select

from bot.adapters.ledger.schema import marks
from bot.adapters.ledger.session import Session, WriteBuffer
from bot.adapters.ledger.upserts import insert, upsert

WATCHED = "watched"
"""The mark that changes whenever an incident or a job state is saved: caches compare it to know they are stale."""


class MarkStore(Session):
    """Reads marks."""

    async def mark(self, name: str) -> str | None:
        """See the port."""
        rows = await self._rows(select(marks).where(marks.c.name == name))
        return str(rows[0].value) if rows else None


class MarkWriting(WriteBuffer):
    """Reads and sets marks within a transaction."""

    _touched = False
    _ahead: dict[str, str | None] | None = None
    """The marks that were read ahead, as this transaction has set them since; None where none were."""

    async def read_marks(self, names: Collection[str]) -> None:
        """See the port."""
        rows = await self._read(_MARKS, these=[*names, WATCHED])
        self._ahead = {**dict.fromkeys([*names, WATCHED]), **{row.name: str(row.value) for row in rows}}

    async def mark(self, name: str) -> str | None:
        """See the port."""
        if self._ahead is not None and name in self._ahead:
            return self._ahead[name]
        rows = await self._read(_MARK, this=name)
        return str(rows[0].value) if rows else None

    async def set_mark(self, name: str, value: str) -> None:
        """See the port."""
        self._write(upsert(self._dialect, marks, "name"), {"name": name, "value": value})
        if self._ahead is not None and name in self._ahead:
            self._ahead[name] = value

    async def watched(self) -> str:
        """See the port."""
        return await self.mark(WATCHED) or "0"

    def _touch(self) -> None:
        """Increment the `WATCHED` mark, once per transaction."""
        if not self._touched:
            self._touched = True
            if self._ahead is not None:
                self._ahead.pop(WATCHED, None)
            self._write(_increment(self._dialect), {"name": WATCHED})


_MARK = select(marks).where(marks.c.name == bindparam("this"))
_MARKS = select(marks).where(marks.c.name.in_(bindparam("these", expanding=True)))


@cache
def _increment(dialect: str) -> Any:
    """Return the statement that sets a mark to 1, or adds 1 to it."""
    count = cast(cast(marks.c.value, Integer) + 1, Text)
    made = insert(dialect, marks, "name").values({"value": literal("1")})
    return made.on_conflict_do_update(index_elements=["name"], set_={"value": count})
