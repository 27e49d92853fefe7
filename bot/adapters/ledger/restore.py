"""``agentpod ledger restore``: a backup into an empty ledger or over an existing one, in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Boolean, Connection, Integer, Text, inspect, text, update

from bot.adapters.ledger import database, migrations, version
from bot.adapters.ledger.backup import tables_of
from bot.adapters.ledger.database import Database
from bot.adapters.ledger.errors import translate
from bot.adapters.ledger.file import FileLock, unwritable
from bot.adapters.ledger.portable import UNTOUCHED, Reader, Row, Scalar, Summary, counted
from bot.adapters.ledger.schema import deliveries
from bot.errors import Permanent

T = TypeVar("T")
_BATCH = 500
_OTHER_CONNECTIONS = """SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'agentpod' AND pid <> pg_backend_pid()"""
_STOP = "Stop the bot (all its replicas), restore, and start it again."


@dataclass(frozen=True)
class Restored:
    """The result: what was restored, where, and what it replaced."""

    summary: Summary
    where: str
    lost: Mapping[str, int]
    """The number of replaced rows, by table."""


async def restore(url: str, reader: Reader, *, force: bool, losing: Callable[[str], None]) -> Restored:
    """Restore the backup of ``reader``. Raises `bot.errors`, with nothing changed.

    ``force`` replaces what the ledger holds and accepts a broken audit trail. ``losing`` is called with a sentence
    that says what is about to be replaced.
    """
    summary = reader.examine()
    if summary.broken and not force:
        raise Permanent(
            f"The audit trail in the backup is broken: {summary.broken}.",
            remedy="Restore an older backup, or this one as it is with --force. Nothing was changed.",
        )
    async with _open_exclusively(url) as (made, where), made.transaction(writes=True) as run:
        lost = await run(partial(_check_replaceable, where=where, force=force))
        if any(lost.values()):
            losing(f"Replacing what the ledger {where} holds: {counted(lost)}.")
        await run(partial(_load_backup, reader=reader, summary=summary))
    return Restored(summary, where, lost)


@asynccontextmanager
async def _open_exclusively(url: str) -> AsyncIterator[tuple[Database, str]]:
    """Open the database; a SQLite file is locked, and removed again after a failure if it was created here."""
    where = database.name(url)
    made = database.connect(url)
    lock: FileLock | None = None
    new: Path | None = None
    try:
        if made.dialect == "sqlite":
            lock = _lock_file(Path(where))
            new = _create_file(Path(where))
        yield made, where
    except BaseException as error:
        await made.close()
        if new is not None:
            with contextlib.suppress(OSError):
                new.unlink()
        if isinstance(error, Exception):
            raise translate(error, where) from error
        raise
    finally:
        await made.close()
        if lock is not None:
            lock.release()


def _lock_file(path: Path) -> FileLock:
    try:
        return FileLock(path)
    except Permanent as error:
        if "uses the ledger" in error.message:
            raise Permanent(error.message, remedy=_STOP) from error
        raise


def _create_file(path: Path) -> Path | None:
    """Create the file, readable by its owner only; None if it existed."""
    try:
        path.touch(0o600, exist_ok=False)
    except FileExistsError:
        return None
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def _check_replaceable(connection: Connection, *, where: str, force: bool) -> Mapping[str, int]:
    """Return the ledger's row counts. Raises Permanent if it is in use, or not empty without ``force``."""
    if connection.dialect.name == "postgresql" and connection.execute(text(_OTHER_CONNECTIONS)).scalar_one():
        raise Permanent(f"Another agentpod uses the ledger {where}.", remedy=_STOP)
    migrations.current(connection)
    count = "SELECT count(*) FROM {}"
    found = {table: connection.execute(text(count.format(table))).scalar_one() for table in tables_of(connection)}
    if any(found.values()) and not force:
        raise Permanent(
            f"The ledger {where} is not empty: it holds {counted(found)}.",
            remedy="Back it up first; --force replaces all of it. Nothing was changed.",
        )
    return found


def _load_backup(connection: Connection, *, reader: Reader, summary: Summary) -> None:
    """Create the backup's schema version, insert its rows, then migrate to this version."""
    for table in (*sorted(version.TABLES), version.TABLE):
        connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
    if connection.dialect.name == "postgresql":
        connection.execute(text("DROP FUNCTION IF EXISTS agentpod_audit_only_grows()"))
    migrations.advance(connection, 0, summary.header.schema)
    tables = {table: _TableWriter(connection, table, names) for table, names in summary.header.columns.items()}
    rows = reader.rows(summary)
    while some := list(islice(rows, _BATCH)):
        for table, of_table in _by_table(some):
            tables[table].put(of_table)
    migrations.advance(connection, summary.header.schema, version.LATEST)
    _mark_pending_unsure(connection)
    connection.commit()
    connection.close()


def _mark_pending_unsure(connection: Connection) -> None:
    """Mark unposted pending messages as unsure: they may have been posted after the backup was taken."""
    pending = [deliveries.c.wanted > deliveries.c.shown, deliveries.c.ts.is_(None)]
    connection.execute(update(deliveries).where(*pending).values(unsure=True))


def _by_table(rows: Sequence[Row]) -> Iterator[tuple[str, list[Sequence[Scalar]]]]:
    found: dict[str, list[Sequence[Scalar]]] = {}
    for table, values in rows:
        found.setdefault(table, []).append(values)
    yield from found.items()


class _TableWriter:
    """Inserts rows into a table, converting each value to its column's type."""

    def __init__(self, connection: Connection, table: str, names: Sequence[str]) -> None:
        """Raises Permanent for a table or a column that is not in the backup's schema version."""
        self._connection, self._name = connection, table
        known = {c["name"]: c["type"] for c in inspect(connection).get_columns(table)} if _is_ours(table) else {}
        if missing := [name for name in names if name not in known] or not known:
            raise Permanent(
                f"The backup is damaged: its version of the ledger has no {table!r} with {missing}.",
                remedy=UNTOUCHED,
            )
        self._names, self._types = names, [known[name] for name in names]
        values = ", ".join(f":{name}" for name in names)
        self._insert = text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})")  # noqa: S608 - known names

    def put(self, rows: Sequence[Sequence[Scalar]]) -> None:
        """Insert rows. Raises Permanent for a value that the database can't hold."""
        made = [
            {name: self._value(v, type_) for name, v, type_ in zip(self._names, row, self._types, strict=True)}
            for row in rows
        ]
        try:
            self._connection.execute(self._insert, made)
        except (ValueError, OverflowError) as error:
            raise self._not_storable() from error

    def _value(self, value: Scalar, type_: Any) -> Scalar:
        """Convert a value to its column's type: SQLite stores any type anywhere, PostgreSQL is strict."""
        if value is None:
            return None
        if isinstance(type_, Boolean):
            return bool(value)
        if self._connection.dialect.name == "sqlite":
            return value
        if isinstance(type_, Text) or not isinstance(type_, Integer):
            return self._text(str(value))
        if isinstance(value, str) or int(value) != value:
            raise self._not_storable()
        return int(value)

    def _text(self, value: str) -> str:
        """Replace NUL, which PostgreSQL can't store. Raises Permanent in the audit trail: it must not change."""
        if "\0" not in value:
            return value
        if self._name == "audit":
            raise self._not_storable()
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")

    def _not_storable(self) -> Permanent:
        remedy = "Restore it into a SQLite file, which keeps what it held. Nothing was changed."
        return Permanent(
            f"A row of {self._name!r} in the backup holds what this database can't keep.", remedy=remedy
        )


def _is_ours(table: str) -> bool:
    return table in version.TABLES
