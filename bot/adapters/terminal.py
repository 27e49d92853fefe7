"""Renders replies for the terminal: the same text as in Slack, coloured if the output is a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from enum import Enum
from typing import IO, Any

from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from bot.domain.core.outside import Outside
from bot.domain.core.probes import Finding, Verdict, worst_first
from bot.domain.core.reply import Fact, Reply, Table, plain
from bot.domain.core.summary import said_in

PIPE_WIDTH = 1000
"""Maximum columns of a table if the output is no terminal."""

MARKS = {
    Verdict.OK: ("✓", "green", "ok"),
    Verdict.WARN: ("!", "yellow", "warning"),
    Verdict.FAIL: ("✗", "red", "fail"),
    Verdict.UNKNOWN: ("?", "magenta", "unknown"),
}


def print_reply(
    reply: Reply, *, output: str, stream: IO[str] | None = None, outside: Outside | None = None
) -> None:
    """Print a reply as ``text`` or ``json``, with the secrets that ``outside`` knows redacted.

    Colours follow the terminal, ``NO_COLOR`` and ``FORCE_COLOR``.
    """
    stream = stream or sys.stdout
    reply = (outside or Outside()).reply(reply)
    if output == "json":
        stream.write(json.dumps(as_json(reply), indent=2, ensure_ascii=False) + "\n")
        return
    _console(stream).print(render(reply))


def _console(stream: IO[str]) -> Console:
    """Return a console as wide as the terminal; a pipe has no width, so nothing is wrapped there."""
    if stream.isatty():
        return Console(file=stream, highlight=False)
    return Console(file=stream, highlight=False, soft_wrap=True, width=PIPE_WIDTH)


def as_json(reply: Reply) -> dict[str, Any]:
    """Return the reply for scripts: ``verdict``, ``headline``, ``findings`` …, and the command's own ``data``."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(reply), default=_plain))
    plain["exit_code"] = reply.exit_code
    for excerpt in (*plain["excerpts"], plain["proof"] or {}):
        excerpt.pop("redacted", None)
        excerpt.pop("attached", None)
        excerpt.pop("ends", None)
    for table in plain["tables"]:
        table.pop("wrapped", None)
    for unwanted in ("buttons", "menus", "images", "shareable", "pending", "posted"):
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


def render(reply: Reply) -> RenderableType:
    """Return the reply as a rich renderable. All dynamic content is Text, so that no markup in it has effect."""
    parts: list[RenderableType] = [_headline(reply)]
    if reply.proof is not None:
        parts += [_indented(reply.proof.text, 4), _indented(reply.proof.title, 4, "dim")]
    parts += [Text(plain(line)) for line in reply.body]
    bad = [f for f in worst_first(reply.findings) if f.verdict is not Verdict.OK]
    good = [f for f in reply.findings if f.verdict is Verdict.OK]
    for finding in bad:
        parts += ["", *_finding(finding, said_in(reply.headline, finding))]
    if good:
        parts += ["", *(_mark(f.verdict, f"{f.title}: ", f.summary) for f in good)]
    if reply.facts:
        parts += ["", _facts(reply.facts)]
    for table in reply.tables:
        parts += ["", _table(table)]
    for excerpt in (one for one in reply.excerpts if not one.attached):
        parts += ["", *([Text(excerpt.title, style="bold")] if excerpt.title else []), Text(excerpt.text)]
    if reply.notes:
        parts += ["", Text(" · ".join(reply.notes), style="dim")]
    return Group(*parts)


def _headline(reply: Reply) -> Text:
    if reply.verdict is None:
        return Text(reply.headline, style="bold")
    mark, colour, _ = MARKS[reply.verdict]
    return Text.assemble((f"{mark} ", f"bold {colour}"), (reply.headline, f"bold {colour}"))


def _mark(verdict: Verdict, title: str, summary: str) -> Text:
    mark, colour, _ = MARKS[verdict]
    return Text.assemble((f"{mark} ", colour), (title, "bold"), summary)


def _finding(finding: Finding, said: bool) -> list[RenderableType]:
    title, text = (finding.title, "") if said else (f"{finding.title}: ", finding.summary)
    lines: list[RenderableType] = [_mark(finding.verdict, title, text)]
    lines += [_indented(line, 4, "dim") for line in finding.evidence]
    if finding.remedy:
        lines.append(_indented(f"→ {finding.remedy}", 2))
    if finding.run:
        lines.append(_indented(finding.run, 4, "cyan"))
    return lines


def _indented(text: str, blanks: int, style: str = "") -> Text:
    """Indent by spaces: a padded block would be cut at `PIPE_WIDTH` in a pipe."""
    return Text("\n".join(" " * blanks + line for line in text.splitlines()), style=style)


def _facts(facts: tuple[Fact, ...]) -> RichTable:
    grid = RichTable.grid(padding=(0, 2))
    for fact in facts:
        value = Text(plain(fact.value))
        if fact.verdict is not None:
            mark, colour, _ = MARKS[fact.verdict]
            value = Text.assemble((f"{mark} ", colour), plain(fact.value))
        grid.add_row(Text(fact.label, style="bold"), value)
    return grid


def _table(table: Table) -> RichTable:
    shown = RichTable(
        title=Text(table.title) if table.title else None, title_justify="left", box=None, pad_edge=False
    )
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


def print_check(
    settings: Sequence[tuple[str, str, str]], checks: Sequence[tuple[str, bool | None, str, str | None]]
) -> None:
    """Print the report of `agentpod check`: each check with its remedy, then each setting with its origin."""
    console = _console(sys.stdout)
    console.print(Text("Checks", style="bold"))
    verdicts = {True: Verdict.OK, False: Verdict.FAIL, None: Verdict.WARN}
    for title, ok, detail, remedy in checks:
        console.print(_mark(verdicts[ok], f"{title}: ", detail))
        if remedy:
            console.print(_indented(f"→ {remedy}", 2))
    failed = sum(ok is False for _, ok, _, _ in checks)
    console.print(
        Text(
            "\nEverything works." if not failed else f"\n{failed} to fix.",
            style="bold green" if not failed else "bold red",
        )
    )
    console.print(Text("\nSettings", style="bold"))
    for name, value, origin in settings:
        untouched = origin == "default"
        line = Text.assemble(f"  {name} = ", value, ("" if untouched else f"   ({origin})", "cyan"))
        console.print(line, style="dim" if untouched else "")
