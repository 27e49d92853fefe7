"""INSERT statements with an ON CONFLICT clause, in the dialect of each database."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from sqlalchemy import TableClause, bindparam


def insert(dialect: str, table: TableClause, *columns: str) -> Any:
    """Return the dialect's INSERT of the given columns, by default all.

    Only this dialect's module is imported: the other one would cost 2 MiB of memory.
    """
    words = importlib.import_module(f"sqlalchemy.dialects.{dialect}")
    return words.insert(table).values({n: bindparam(n) for n in columns or _names(table)})


@cache
def upsert(dialect: str, table: TableClause, key: str) -> Any:
    """Return the statement that inserts a row, or replaces the one with the same key.

    Cached: building a statement costs SQLAlchemy more than running it.
    """
    made = insert(dialect, table)
    changed = {n: made.excluded[n] for n in _names(table) if n != key}
    return made.on_conflict_do_update(index_elements=[key], set_=changed)


def _names(table: TableClause) -> list[str]:
    return [column.name for column in table.c]
