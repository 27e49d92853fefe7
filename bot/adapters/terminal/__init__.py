"""Renders replies for the terminal: the same text as in Slack, coloured if the output is a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from enum import Enum
from typing import IO, Any

from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from bot.adapters.terminal.layout import (
    MARKS,
    Paragraph,
    Verbatim,
    console,
    local,
    mark,
    plain_signs,
    prose,
    remedy,
    sentences,
)
from bot.domain.core import moments
from bot.domain.core.code import typed
from bot.domain.core.links import shown as shown_links
from bot.domain.core.outside import Outside, with_texts
from bot.domain.core.probes import Finding, Verdict, worst_first
from bot.domain.core.reply import Fact, Line, Reply, Table, plain
from bot.domain.core.summary import said_in, titled

_NOT_IN_JSON = (
    "buttons",
    "menus",
    "images",
    "shareable",
    "pending",
    "posted",
    "left_undone",
    "again",
    "shows_log",
    "receipt",
)
_COLUMNS = 80
"""Where one word does not fit beside its label any more: it has a line of its own, to be copied."""


def print_reply(
    reply: Reply, *, output: str, stream: IO[str] | None = None, outside: Outside | None = None
) -> None:
    """Print a reply as ``text`` or ``json``, with the secrets that ``outside`` knows redacted.

    Colours follow the terminal, ``NO_COLOR`` and ``FORCE_COLOR``. Times are as `layout.local` shows them; in JSON
    they are in full in UTC.
    """
    stream = stream or sys.stdout
    reply = with_texts((outside or Outside()).reply(reply), typed("agentpod"))
    if output == "json":
        stream.write(json.dumps(as_json(reply), indent=2, ensure_ascii=False) + "\n")
        return
    console(stream).print(render(with_texts(reply, local(stream))), crop=False)


def as_json(reply: Reply) -> dict[str, Any]:
    """Return the reply for scripts: ``verdict``, ``headline``, ``findings`` …, and the command's own ``data``."""
    text = json.dumps(asdict(reply), default=_plain, ensure_ascii=False)
    plain: dict[str, Any] = json.loads(moments.bare(text))
    plain["exit_code"] = reply.exit_code
    for excerpt in (*plain["excerpts"], plain["proof"] or {}):
        excerpt.pop("redacted", None)
        excerpt.pop("attached", None)
        excerpt.pop("ends", None)
    for table in plain["tables"]:
        table.pop("wrapped", None)
    for card in plain["cards"]:
        card.pop("buttons")
    for unwanted in _NOT_IN_JSON:
        plain.pop(unwanted)
    return plain


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)


BULLET = "\n• "
"""What begins each line of a fact that is a list."""


def render(reply: Reply) -> RenderableType:
    """Return the reply as a rich renderable. All dynamic content is Text, so that no markup in it has effect."""
    parts: list[RenderableType] = [_headline(reply)]
    if reply.proof is not None:
        parts += [
            Verbatim(moments.bare(reply.proof.text), 4),
            Paragraph(Text(reply.proof.title, style="dim"), " " * 4),
        ]
    parts += [part for line in reply.body for part in _line(line)]
    parts += [part for card in reply.cards for part in ("", *(s for line in card.lines for s in _line(line)))]
    bad = [f for f in worst_first(reply.findings) if f.verdict is not Verdict.OK]
    good = [f for f in reply.findings if f.verdict is Verdict.OK]
    for finding in bad:
        parts += ["", *_finding(finding, said_in(reply.headline, finding))]
    if good:
        parts += ["", *(mark(f.verdict, f"{f.title}: ", f.summary) for f in good)]
    if reply.facts:
        parts += [*([] if reply.facts[0].under else [""]), *_facts(reply.facts)]
    for table in reply.tables:
        parts += ["", *([Paragraph(Text(table.title))] if table.title else []), _table(table)]
    for excerpt in (one for one in reply.excerpts if not one.attached):
        title = [Paragraph(Text(excerpt.title, style="bold"))] if excerpt.title else []
        parts += ["", *title, Verbatim(moments.bare(excerpt.text))]
    if links := shown_links(reply.links):
        parts += ["", *(Verbatim(f"{link.label}: {link.url}") for link in links)]
    if reply.notes:
        parts += ["", Paragraph(Text(" · ".join(reply.notes), style="dim"))]
    return Group(*parts)


def _headline(reply: Reply) -> Paragraph:
    if reply.verdict is None:
        return Paragraph(prose(plain_signs(reply.headline), "bold"))
    sign, colour, _ = MARKS[reply.verdict]
    return Paragraph(prose(f"{sign} {reply.headline}", f"bold {colour}"), rest=2)


def _line(line: Line) -> Iterator[RenderableType]:
    return sentences(plain_signs(plain(line)))


def _finding(finding: Finding, said: bool) -> list[RenderableType]:
    title, text = (finding.title, "") if said else titled(finding)
    lines: list[RenderableType] = [mark(finding.verdict, title, text)]
    lines += [Paragraph(Text(line, style="dim"), " " * 4) for line in finding.evidence]
    lines += remedy(finding.remedy) if finding.remedy else ()
    if finding.run and not finding.names_run:
        lines.append(Verbatim(finding.run, 4, "cyan"))
    return lines


def _facts(facts: tuple[Fact, ...]) -> Iterator[RenderableType]:
    """Yield a line for each fact, the values below each other, under their headings."""
    width = max((len(fact.label) for fact in facts if not _is_list(fact)), default=0)
    heading = ""
    for fact in facts:
        if fact.under != heading:
            heading = fact.under
            yield from ("", Text(heading, style="bold underline"))
        if _is_list(fact):
            yield from _list(fact)
            continue
        value = prose(plain(fact.value))
        if width + 2 + value.cell_len > _COLUMNS and " " not in value.plain:
            yield from (Text(fact.label, style="bold"), Verbatim(value.plain, 4))
            continue
        if fact.verdict is not None:
            sign, colour, _ = MARKS[fact.verdict]
            value = Text.assemble((f"{sign} ", colour), value)
        label = Text(f"{fact.label:{width}}  ", style="bold")
        yield Paragraph(value, label)


def _is_list(fact: Fact) -> bool:
    return plain(fact.value).startswith(BULLET)


def _list(fact: Fact) -> Iterator[RenderableType]:
    """Yield the label, and below it each line of its value."""
    yield Text(fact.label, style="bold")
    yield from (Paragraph(prose(line), "    • ") for line in plain(fact.value).split(BULLET)[1:])


def _table(table: Table) -> RichTable:
    shown = RichTable(box=None, pad_edge=False)
    verdicts = table.verdicts or (None,) * len(table.rows)
    if table.verdicts:
        shown.add_column("")
    for column in table.columns:
        shown.add_column(Text(column), header_style="bold", overflow="fold")
    for row, verdict in zip(table.rows, verdicts, strict=True):
        mark = (
            [Text(MARKS[verdict][0], style=MARKS[verdict][1]) if verdict else Text("")] if table.verdicts else []
        )
        shown.add_row(*mark, *(Text(plain(cell)) for cell in row))
    return shown
