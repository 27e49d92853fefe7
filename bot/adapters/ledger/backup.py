"""``agentpod ledger backup``: all of a ledger as it was at one moment, while the bot goes on."""

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

_AT_ONCE = 500
_ENDS = ("", "-wal", "-shm", "-journal", ".lock")
_ANOTHER = "Give another file, or --force to replace it."


async def backup(url: str, out: IO[bytes]) -> Summary:
    """Write the ledger to a file. Raises `bot.errors`, and OSError where ``out`` can't be written."""
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
    """In one snapshot. What fails in writing the file is no failure of the database."""
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
    """The columns of each of our tables; the version is in the header."""
    known = inspect(connection)
    mine = sorted(set(known.get_table_names()) & version.TABLES)
    return {table: tuple(c["name"] for c in known.get_columns(table)) for table in mine}


def _rows(connection: Connection, table: str, names: Sequence[str]) -> Iterator[list[Scalar]]:
    order = names[0]  # the audit trail by its number; for the others any order that stays will do
    query = text(f"SELECT {', '.join(names)} FROM {table} ORDER BY {order}")  # noqa: S608 - names of our own schema
    for row in connection.execute(query, execution_options={"yield_per": _AT_ONCE}):
        yield [_plain(value) for value in row]


def _plain(value: Any) -> Scalar:
    """SQLite keeps anything in any column, also what JSON can't."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if value is None or isinstance(value, str | int | float) else str(value)


@contextmanager
def new_file(path: Path, *, force: bool, ledger: Path | None) -> Iterator[IO[bytes]]:
    """A file for its owner alone that is there once all of it is written, or not at all.

    Raises Permanent where it can't be made. ``ledger``: a file that it must not replace, with those beside it.
    """
    _may_be(path, force=force, ledger=ledger)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        _to_its_name(beside, path, force=force)
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


def _may_be(path: Path, *, force: bool, ledger: Path | None) -> None:
    own = [ledger.resolve().with_name(ledger.resolve().name + end) for end in _ENDS] if ledger is not None else []
    if path.resolve() in own:
        raise Permanent(f"{path} belongs to the ledger itself.", remedy="Give another file.")
    if path.exists() and not path.is_file():
        raise Permanent(f"{path} is no file.", remedy="Give a file, or - for standard output.")
    if path.exists() and not force:
        raise Permanent(f"{path} exists.", remedy=_ANOTHER)


def _to_its_name(beside: Path, path: Path, *, force: bool) -> None:
    if force:
        beside.replace(path)
    else:
        try:
            os.link(beside, path)  # unlike a rename it replaces nothing that came meanwhile
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                raise
            _may_be(path, force=False, ledger=None)  # a file system without links
            beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
