"""Tables of an answer: Slack's own, or lines where it can't show them or a phone would cut them off. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.adapters.slack.draft import PIECE, Draft, Json, characters, section
from bot.adapters.slack.phone_tables import is_cut_off, two_lines
from bot.domain.core import moments
from bot.domain.core.probes import SIGNS
from bot.domain.core.reply import Excerpt, Line, Mention, Table, parts
from bot.domain.core.reply import plain as plain_line

MAX_LINES = 20
"""Maximum rows of a further table that are shown as lines; longer ones become fixed-width text."""
MOST_OF_LINES = 4_500
"""Maximum characters of a table that is shown as two lines a row; of others Slack shows more in less room."""


def add_table(draft: Draft, table: Table) -> None:
    """Add a table with its title."""
    if table.title:
        draft.text(table.title, bold=True)
    rows = list(marked_rows(table))
    columns = max((len(r) for r in rows), default=0)
    header: list[list[Line]] = [list(table.columns)] if table.columns else []
    columns = max(columns, len(table.columns))
    if not rows or not columns:
        draft.text("(no rows)")
        return
    cells: list[list[Line]] = [[*r, *[""] * (columns - len(r))] for r in [*header, *rows]]
    sizes = [len(plain_line(c)) for r in cells for c in r]
    longest, total = max(sizes), sum(size or 1 for size in sizes)
    lines = len(rows) <= MAX_LINES and total <= MOST_OF_LINES
    flat = [[moments.short(plain_line(c), draft.now) for c in row] for row in cells]
    if lines and (is_cut_off(flat) or not draft.tables):
        _two_lines(draft, table, cells[len(header) :])
        return
    first = draft.tables and not any(b["type"] == "table" for b in draft.blocks)
    if first and len(cells) <= 100 and columns <= 20 and total <= 9_000 and longest <= 2_000:
        settings = [{"is_wrapped": True} if n in table.wrapped else None for n in range(columns)]
        block: Json = {"type": "table", "rows": [[_cell(draft, c) for c in r] for r in cells]}
        draft.blocks.append({**block, "column_settings": settings} if table.wrapped else block)
        return
    if len(rows) <= MAX_LINES and total <= PIECE:
        draft.rich(*(_row_line(draft, r) for r in rows))
        return
    draft.excerpt(Excerpt(_fixed_width(flat), filename=_file_name(table.title or "table", ".txt")), tail=False)


def _two_lines(draft: Draft, table: Table, rows: Sequence[Sequence[Line]]) -> None:
    """Add rows that a phone would cut off as a table, each as two lines."""
    sections: list[Json] = []
    size = 0
    for about, said in two_lines(table.columns, rows, table.wrapped):
        bold = draft.spans(plain_line(about) or "-", bold=True)
        row = section(*bold, *(draft.elements(("\n", *parts(said))) if said else ()))
        length = characters(row)
        if size + length > PIECE:
            draft.rich(*sections)
            sections, size = [], 0
        sections.append(row)
        size += length
    draft.rich(*sections)


def _row_line(draft: Draft, cells: Sequence[Line]) -> Json:
    """Return a row as a line: Slack allows one table per message, and fixed columns break on a phone."""
    first = plain_line(cells[0]) if cells else ""
    rest = [part for cell in cells[1:] if cell for part in (" · ", *parts(cell))]
    others = draft.elements(("  ", *rest[1:]) if rest else "")
    return section(*draft.spans(first or "-", bold=True), *others)


def marked_rows(table: Table) -> Iterator[list[Line]]:
    """Yield the rows, each with the sign of its verdict in its first cell."""
    for number, row in enumerate(table.rows):
        verdict = table.verdicts[number] if number < len(table.verdicts) else None
        cells = list(row)
        if verdict and cells:
            cells[0] = _joined(f"{SIGNS[verdict]} ", cells[0])
        yield cells


def _joined(before: str, line: Line) -> Line:
    return before + line if isinstance(line, str) else (before, *line)


def _cell(draft: Draft, line: Line) -> Json:
    """Return a cell; one with mentions or moments is rich text, so that Slack shows names and local times."""
    if any(isinstance(part, Mention) or moments.MARK in part for part in parts(line)):
        return {"type": "rich_text", "elements": [section(*draft.elements(line))]}
    return {"type": "raw_text", "text": plain_line(line) or "\u2013"}


def _fixed_width(rows: Sequence[Sequence[Line]]) -> str:
    flat = [[" ".join(plain_line(c).split()) for c in row] for row in rows]
    widths = [min(40, max(len(row[i]) for row in flat)) for i in range(len(flat[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in flat)


def _file_name(title: str, suffix: str) -> str:
    kept = "".join(c if c.isalnum() and c.isascii() else "-" for c in title.lower()).strip("-")[:60]
    return (kept or "output") + suffix
