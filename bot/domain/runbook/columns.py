"""Splits lines into the rows of a table, by the separator that fits all of them. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence

Row = tuple[str, ...]
_DECORATION = re.compile(r"[-=+| ]{3,}|\([0-9]+ rows?\)")
"""Lines that no column is in: rules, and psql's count of rows."""
_BLANKS = re.compile(r" {2,}|\t")


def rows_of(lines: Sequence[str]) -> list[Row]:
    """Return the rows, all of the same length; none where no separator gives at least two columns.

    Tried in order: tabs, commas and semicolons (CSV), bars, two blanks, one blank. By one blank, the
    last column has the rest of the line.
    """
    kept = [line.strip() for line in lines if line.strip() and not _DECORATION.fullmatch(line.strip())]
    for split in (_tabs, _commas, _semicolons, _bars, _wide_blanks):
        rows = [split(line) for line in kept]
        if rows and len(rows[0]) > 1 and all(len(row) == len(rows[0]) for row in rows):
            return rows
    fewest = min((len(line.split()) for line in kept), default=0)
    return [tuple(line.split(maxsplit=fewest - 1)) for line in kept] if fewest > 1 else []


def _tabs(line: str) -> Row:
    return tuple(cell.strip() for cell in line.split("\t"))


def _bars(line: str) -> Row:
    framed = len(line) > 1 and line.startswith("|") and line.endswith("|")
    return tuple(cell.strip() for cell in (line[1:-1] if framed else line).split("|"))


def _wide_blanks(line: str) -> Row:
    return tuple(_BLANKS.split(line))


def _csv(separator: str) -> Callable[[str], Row]:
    def split(line: str) -> Row:
        try:
            [cells] = csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True)
        except (csv.Error, ValueError):
            return ()
        return tuple(cell.strip() for cell in cells)

    return split


_commas, _semicolons = _csv(","), _csv(";")
