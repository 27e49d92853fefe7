"""``agentpod ledger backup``: a consistent snapshot of the ledger, taken while the bot keeps running."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, inspect, text

from bot import __version__
from bot.adapters.ledger import database, migrations, version
from bot.adapters.ledger.errors import translate
from bot.adapters.ledger.file import sqlite_file
from bot.adapters.ledger.portable import Header, Scalar, Summary, Writer
from bot.errors import AgentpodError, Permanent

_BATCH = 500
_SUFFIXES = ("", "-wal", "-shm", "-journal", ".lock")
_ANOTHER = "Give another file, or --force to replace it."


async def backup(url: str, out: IO[bytes]) -> Summary:
    """Write the ledger to ``out``. Raises `bot.errors`, and OSError if ``out`` can't be written."""
    file = sqlite_file(url)
    if file is not None and not file.exists():
        raise Permanent(f"There is no ledger {file}.", remedy="Check AGENTPOD_LEDGER__URL.")
    where = database.name(url)
    made = database.connect(url)
    failed: list[OSError] = []
    try:
        async with made.transaction(writes=False) as run:
            return await run(partial(_copy, out=out, failed=failed))
    except AgentpodError:
        raise
    except Exception as error:
        if failed:
            raise failed[0] from None
        raise translate(error, where) from error
    finally:
        await made.close()


def _copy(connection: Connection, *, out: IO[bytes], failed: list[OSError]) -> Summary:
    """Write all tables in one snapshot.

    An OSError goes into ``failed`` as well, so that it is not taken for a failure of the database.
    """
    if connection.dialect.name == "postgresql":
        connection = connection.execution_options(isolation_level="REPEATABLE READ")
    schema = migrations.current(connection)
    if not schema:
        raise Permanent("The ledger is empty: there is nothing to back up.")
    columns = tables_of(connection)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        writer = Writer(out, Header(schema, columns, at, __version__, connection.dialect.name))
        for table, names in columns.items():
            for values in _rows(connection, table, names):
                writer.row(table, values)
        summary = writer.end()
        out.flush()
    except OSError as error:
        failed.append(error)
        raise
    finally:
        connection.close()
    return summary


def tables_of(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Return the column names of each of our tables; the schema version is in the header instead."""
    known = inspect(connection)
    mine = sorted(set(known.get_table_names()) & version.TABLES)
    return {table: tuple(c["name"] for c in known.get_columns(table)) for table in mine}


def _rows(connection: Connection, table: str, names: Sequence[str]) -> Iterator[list[Scalar]]:
    order = names[0]  # the audit trail needs its number's order, the others any stable one
    query = text(f"SELECT {', '.join(names)} FROM {table} ORDER BY {order}")  # noqa: S608 - names of our own schema
    for row in connection.execute(query, execution_options={"yield_per": _BATCH}):
        yield [_plain(value) for value in row]


def _plain(value: Any) -> Scalar:
    """Return a value that JSON can hold: SQLite keeps values of any type in any column."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if value is None or isinstance(value, str | int | float) else str(value)


@contextmanager
def new_file(path: Path, *, force: bool, ledger: Path | None) -> Iterator[IO[bytes]]:
    """Write a file atomically, readable by its owner only: it appears once it is complete, or not at all.

    Raises Permanent if it can't be created or written, or exists and ``force`` is false. ``ledger`` is the SQLite
    file that must not be replaced, nor its WAL, journal and lock files.
    """
    _check_target(path, force=force, ledger=ledger)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        _move_into_place(beside, path, force=force)
    except OSError as error:
        why = (error.strerror or "an error").lower()
        raise Permanent(
            f"The backup {path} can't be written: {why}.", remedy=_REMEDIES.get(error.errno)
        ) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


_REMEDIES: dict[int | None, str] = {
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "Make room, or give a file elsewhere. Nothing was kept of it."
    ),
    errno.ENOENT: "Make its folder, or give a file elsewhere.",
    errno.ENOTDIR: "Give a file in a folder.",
    errno.EACCES: "Give a file where you may write, or - for standard output.",
    errno.EROFS: "Give a file where you may write, or - for standard output.",
    errno.EEXIST: _ANOTHER,
}


def _check_target(path: Path, *, force: bool, ledger: Path | None) -> None:
    own = (
        [ledger.resolve().with_name(ledger.resolve().name + end) for end in _SUFFIXES]
        if ledger is not None
        else []
    )
    if path.resolve() in own:
        raise Permanent(f"{path} belongs to the ledger itself.", remedy="Give another file.")
    if path.exists() and not path.is_file():
        raise Permanent(f"{path} is no file.", remedy="Give a file, or - for standard output.")
    if path.exists() and not force:
        raise Permanent(f"{path} exists.", remedy=_ANOTHER)


def _move_into_place(beside: Path, path: Path, *, force: bool) -> None:
    if force:
        beside.replace(path)
    else:
        try:
            os.link(beside, path)  # unlike a rename, it does not replace a file created meanwhile
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                raise
            _check_target(path, force=False, ledger=None)  # a file system without hard links
            beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
