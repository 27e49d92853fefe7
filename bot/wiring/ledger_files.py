"""``agentpod ledger backup`` and ``restore``: between the database in the settings and a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bot.adapters.ledger.backup import backup as write_backup
from bot.adapters.ledger.backup import new_file
from bot.adapters.ledger.file import sqlite_file
from bot.adapters.ledger.portable import Reader, Summary, counted, seekable
from bot.adapters.ledger.restore import restore as put_back
from bot.errors import Permanent

PIPE = "-"


async def backup(url: str, name: str, *, force: bool) -> Sequence[str]:
    """Write a backup; returns lines that say what is in it."""
    if name == PIPE:
        return ["Backed up: " + _said(await write_backup(url, sys.stdout.buffer))]
    with new_file(Path(name), force=force, ledger=sqlite_file(url)) as out:
        summary = await write_backup(url, out)
    return [f"Backed up to {name}: {_said(summary)}", *_trail(summary)]


async def restore(url: str, name: str, *, force: bool) -> Sequence[str]:
    """Restore a backup; returns lines that say what was in it."""
    with _opened(name) as file:
        reader = Reader(file, "on standard input" if name == PIPE else name)
        done = await put_back(url, reader, force=force, losing=_tell)
    return [f"Restored into {done.where}: {_said(done.summary)}", *_trail(done.summary)]


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _said(summary: Summary) -> str:
    header = summary.header
    return f"{counted(summary.rows)}, as of {header.at} (schema version {header.schema})."


def _trail(summary: Summary) -> list[str]:
    if summary.broken:
        return [f"The audit trail in it is broken: {summary.broken}."]
    return [f"Try it with: agentpod audit verify --head {summary.head}"] if summary.head else []


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    try:
        file = seekable(sys.stdin.buffer) if name == PIPE else open(name, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        why = (error.strerror or "an error").lower()
        remedy = "Give a file that agentpod ledger backup has written. Nothing was changed."
        raise Permanent(f"The backup {name} can't be read: {why}.", remedy=remedy) from error
    with file:
        yield file
