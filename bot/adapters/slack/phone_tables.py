"""Tables that a phone would cut off, as two lines a row: what the row is about, and what is said of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.domain.core.reply import Line, parts, plain

PIXELS = 318
"""Width of a message's content on a screen of 390 px."""
PER_CHARACTER, PER_COLUMN = 7, 28
"""Pixels of a character in the table's font, and of a cell's padding."""


def is_cut_off(cells: Sequence[Sequence[Line]]) -> bool:
    """Whether rows of equal length, the header among them, are wider as a table than a phone shows."""
    widths = [max(len(plain(row[n])) for row in cells) for n in range(len(cells[0]))]
    return sum(widths) * PER_CHARACTER + len(widths) * PER_COLUMN > PIXELS


def two_lines(
    columns: Sequence[str], rows: Sequence[Sequence[Line]], sentences: Sequence[int] = ()
) -> Iterator[tuple[Line, Line]]:
    """Yield each row's first line and second line.

    A first cell that is a number says little, so the second cell stands beside it. The second line names each cell
    by its column, except for ``sentences``, columns that need no name.
    """
    first = 2 if len(columns) > 2 and all(plain(row[0]).isdecimal() for row in rows) else 1
    for row in rows:
        named: list[tuple[str, Line]] = [
            ("" if n in sentences or n >= len(columns) else f"{columns[n]}: ", cell)
            for n, cell in enumerate(row[first:], first)
            if plain(cell).strip(" -\u2013")
        ]
        yield _joined([("", cell) for cell in row[:first]]), _joined(named)


def _joined(cells: Sequence[tuple[str, Line]]) -> Line:
    """Join cells to one line, each after its name."""
    joined = tuple(part for name, cell in cells for part in (" · ", *((name,) if name else ()), *parts(cell)))
    return joined[1:] or ""
