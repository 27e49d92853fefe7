"""The backup format: JSON lines, the same for SQLite and PostgreSQL.

The first line is the header: format version, schema version, each table's columns. Then comes a line for each row,
with its table first. The last line has the number of rows of each table and the SHA-256 of everything before it; a
file without it is truncated. A backup is read twice: once to check all of it, once to restore it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import IO, Any

from bot.adapters.ledger import version
from bot.adapters.ledger.audit_trail import record_of
from bot.domain.core import words
from bot.domain.core.audit import START, Verifier
from bot.errors import AgentpodError, Permanent

FORMAT, FORM = "agentpod-ledger", 1
LONGEST = 64 << 20
"""Maximum bytes read of one line; no real row comes near it."""
UNTOUCHED = "Nothing was changed. Restore another backup."
Scalar = str | int | float | bool | None
Row = tuple[str, Sequence[Scalar]]
_NAMES = {"cases": "request", "incidents": "incident", "deliveries": "message", "audit": "audit record"}


@dataclass(frozen=True)
class Header:
    """The first line of a backup."""

    schema: int
    columns: Mapping[str, Sequence[str]]
    at: str
    """When the backup was written, in UTC."""
    agentpod: str
    """The agentpod version that wrote it."""
    database: str


@dataclass(frozen=True)
class Summary:
    """What a complete backup contains."""

    header: Header
    rows: Mapping[str, int]
    digest: str
    """SHA-256 of everything before the last line."""
    head: str
    """The digest of the last audit record."""
    broken: str
    """Where the audit trail's chain is broken; empty if it is intact."""


def counted(rows: Mapping[str, int]) -> str:
    """Return the row counts in words, such as ``3 requests, 1 incident, …``."""
    named = [words.plural(rows.get(table, 0), name) for table, name in _NAMES.items()]
    rest = sum(count for table, count in rows.items() if table not in _NAMES and table != version.TABLE)
    return ", ".join([*named, words.plural(rest, "other row")])


class Trail:
    """Verifies the audit trail's chain while its rows are read or written."""

    def __init__(self, columns: Mapping[str, Sequence[str]]) -> None:
        """``columns``: the column names of each table, from the header."""
        self._columns = columns.get("audit", ())
        self._check = Verifier()

    def pass_(self, values: Sequence[Scalar]) -> None:
        """Verify the next record."""
        row: Any = SimpleNamespace(**dict(zip(self._columns, values, strict=True)))
        self._check.broken_by(record_of(row))

    @property
    def head(self) -> str:
        """The digest of the last valid record; empty if there is none."""
        return "" if self._check.last == START else self._check.last

    @property
    def broken(self) -> str:
        """Where the chain is broken, in words; empty if it is intact."""
        found = self._check.broken()
        return found.why if found is not None else ""


class Writer:
    """Writes a backup line by line."""

    def __init__(self, out: IO[bytes], header: Header) -> None:
        """Write the header."""
        self._out, self._header = out, header
        self._hash, self._rows = hashlib.sha256(), Counter[str]()
        self._trail = Trail(header.columns)
        first = {"format": FORMAT, "form": FORM, **header.__dict__}
        self._line(first)

    def row(self, table: str, values: Sequence[Scalar]) -> None:
        """Write a row."""
        self._rows[table] += 1
        if table == "audit":
            self._trail.pass_(values)
        self._line([table, *values])

    def end(self) -> Summary:
        """Write the last line, and return what the backup contains."""
        rows = {table: self._rows[table] for table in self._header.columns}
        digest = self._hash.hexdigest()
        self._line({"end": True, "rows": rows, "sha256": digest})
        return Summary(self._header, rows, digest, self._trail.head, self._trail.broken)

    def _line(self, content: object) -> None:
        line = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._hash.update(line)
        self._out.write(line)


class Reader:
    """Reads a backup from a seekable file. Raises Permanent for one that is damaged or truncated."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        """``name`` is what messages call the file."""
        self._file, self._name = file, name

    def examine(self) -> Summary:
        """Check the header, each row, the counts, the checksum and the audit trail's chain."""
        self._file.seek(0)
        with self._translated_errors():
            header = self._header(self._first_line())
            trail, counts = Trail(header.columns), Counter(dict.fromkeys(header.columns, 0))
            for table, values in self._rows(header, counts):
                if table == "audit":
                    trail.pass_(values)
            return Summary(header, dict(counts), self._digest, trail.head, trail.broken)

    def rows(self, summary: Summary) -> Iterator[Row]:
        """Yield the rows of an examined file. Raises Permanent after the last one if the file has changed."""
        self._file.seek(0)
        with self._translated_errors():
            header = self._header(self._first_line())
            yield from self._rows(header, Counter())
        if self._digest != summary.digest:
            raise Permanent(f"{self._name} was changed while it was read.", remedy=UNTOUCHED)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except AgentpodError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            raise self._damaged(f"line {self._number:,} can't be read") from error
        except OSError as error:
            raise Permanent(f"{self._name} can't be read: {(error.strerror or 'an error').lower()}.") from error

    def _damaged(self, why: str) -> Permanent:
        return Permanent(f"The backup {self._name} is damaged: {why}.", remedy=UNTOUCHED)

    def _first_line(self) -> Any:
        """Read and hash the first line; None if it is not JSON."""
        self._number, self._hash = 1, hashlib.sha256()
        line = self._file.readline(LONGEST)
        self._hash.update(line)
        try:
            return _parsed(line)
        except (ValueError, RecursionError):
            return None

    def _header(self, found: Any) -> Header:
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            remedy = "Give a file that agentpod ledger backup has written. Nothing was changed."
            raise Permanent(f"{self._name} is no backup of agentpod's.", remedy=remedy)
        header = Header(
            int(found["schema"]),
            {str(table): tuple(map(str, names)) for table, names in found["columns"].items()},
            *(str(found.get(name, "")) for name in ("at", "agentpod", "database")),
        )
        if int(found["form"]) > FORM or header.schema > version.LATEST:
            raise Permanent(
                f"A newer agentpod ({header.agentpod}) wrote the backup {self._name}: it has schema version "
                f"{header.schema}, and this one knows none above {version.LATEST}.",
                remedy="Restore it with that agentpod. Nothing was changed.",
            )
        if header.schema < 1:
            raise self._damaged("it has no version")
        return header

    def _rows(self, header: Header, counts: Counter[str]) -> Iterator[Row]:
        while True:
            line = self._file.readline(LONGEST)
            self._number += 1
            if not line.endswith(b"\n"):
                raise Permanent(f"The backup {self._name} is cut off: its end is missing.", remedy=UNTOUCHED)
            found = _parsed(line)
            if isinstance(found, dict):
                self._end(found, header, counts)
                return
            self._hash.update(line)
            table, *values = found
            if len(values) != len(header.columns[table]) or not all(map(_is_scalar, values)):
                raise self._damaged(f"line {self._number:,} is no row of its table")
            counts[table] += 1
            yield table, values

    def _end(self, found: Mapping[str, Any], header: Header, counts: Counter[str]) -> None:
        self._digest = self._hash.hexdigest()
        if found["sha256"] != self._digest:
            raise self._damaged("its checksum does not match what is in it")
        if {t: counts[t] for t in header.columns} != found["rows"]:
            raise self._damaged("its rows are not as many as it says")
        if self._file.read(1):
            raise self._damaged("something follows its end")


def _parsed(line: bytes) -> Any:
    return json.loads(line.decode(), parse_constant=_no_number)


def _no_number(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def seekable(stream: IO[bytes]) -> IO[bytes]:
    """Copy a stream, such as standard input, into a temporary file."""
    import shutil
    import tempfile

    spooled = tempfile.TemporaryFile()  # noqa: SIM115 - it goes with the process
    shutil.copyfileobj(stream, spooled, io.DEFAULT_BUFFER_SIZE)
    return spooled
