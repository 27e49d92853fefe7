"""The commands that the targets' runbooks declare, as commands like the built-in ones."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, Field, create_model

from bot.domain.core import words
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Excerpt, Fact, Line, Reply, Table
from bot.domain.rbac.roles import Capability
from bot.domain.runbook.columns import rows_of
from bot.domain.runbook.facts.exec import NOT_RUN, not_run
from bot.domain.runbook.kind import Doubt
from bot.domain.runbook.model import CommandEntry
from bot.domain.runbook.param import Param
from bot.domain.runbook.record import Record, not_text
from bot.errors import UsageError
from bot.runbook.command import Command, Concerns, Declared, NoParams, Params
from bot.runbook.context import Context
from bot.runbook.file.compiled import CompiledRunbook
from bot.runbook.file.declared import command_facts
from bot.runbook.file.known import Unread
from bot.services.runbook import declared_command
from commands.shared import shape

NEEDS = {"view": Capability.VIEW, "operate": Capability.READ_LOGS}
"""Capability in the file → the bot's. What `operate` commands print is shown only to whoever asked."""
INSIDE = frozenset({"exec", "log", "processes", "secret"})
"""Kinds of facts whose reads are recorded in the audit trail."""
MOST_DATA = 1_000
"""Most lines that programs get."""
MOST_LINES = 40
"""Most lines that an answer of `lines` shows."""
MOST_ROWS, MOST_COLUMNS, MOST_CELL = 100, 10, 100
"""Size limits of a table: rows, columns, and characters of a cell."""
MOST_CHARACTERS = 400_000
"""Most characters of an answer of `text`."""


def commands(books: Mapping[str, CompiledRunbook]) -> list[Command]:
    """Return the commands that the runbooks declare, each once; ``books`` are by target."""
    owners: dict[str, list[str]] = {}
    for target, book in books.items():
        for name in book.commands:
            owners.setdefault(name, []).append(target)
    return [
        _command(name, {target: books[target].commands[name] for target in targets})
        for name, targets in owners.items()
    ]


def _command(name: str, entries: Mapping[str, CommandEntry]) -> Command:
    targets, entry = tuple(entries), next(iter(entries.values()))
    return Command(
        name=name,
        summary=entry.summary.removesuffix("."),
        needs=NEEDS[entry.capability],
        run=partial(run, name, targets),
        params=params_of(name, entry.params),
        group="Runbook",
        concerns=Concerns.SEEN,
        declared={
            target: Declared(audited=any(use.kind.name in INSIDE for use in command_facts(one)))
            for target, one in entries.items()
        },
        details=f"Declared in the runbook. Reads {entry.fact.source}.",
        offered=lambda ctx: any(name in _commands(one) for one in (ctx, *ctx.others)),
        unoffered="is not in this target's runbook",
        runbook_rights=partial(declared_command.rights, name),
    )


def params_of(name: str, params: Mapping[str, Param], base: type[Params] = NoParams) -> type[Params]:
    """Return the params model of a command: what has a default is a flag, the rest is positional."""
    if not params:
        return base
    fields: dict[str, Any] = {one.replace("-", "_"): _field(one, param) for one, param in params.items()}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Field name .* shadows an attribute", UserWarning)  # "schema" may be one
        return create_model(name, __base__=base, **fields)


def _field(name: str, param: Param) -> tuple[Any, Any]:
    about = f"{param.about}: {param.takes}" if param.about else words.upper_first(param.takes)
    extra: dict[str, Any] = {"metavar": name.upper()} if param.default is not None else {"positional": True}
    default: Any = ... if param.default is None else param.accepted(param.default)
    return Annotated[str, AfterValidator(param.accepted)], Field(
        default, description=about, json_schema_extra=extra
    )


async def run(name: str, targets: Sequence[str], ctx: Context, params: Params) -> Reply:
    """Run a declared command on the target, or on the only one that has it where none was named."""
    began = ctx.clock.monotonic()
    ctx = _chosen(name, targets, ctx)
    shape.require(ctx, NEEDS[_commands(ctx)[name].capability])
    entry = _commands(ctx)[name]
    values = {one: str(getattr(params, one.replace("-", "_"))) for one in entry.params}
    fact = await declared_command.read(ctx, entry, values, dry_run=ctx.dry_run)
    title, notes = entry.summary.removesuffix("."), shape.notes(ctx, began)
    if isinstance(fact, Unread):
        body = (fact.remedy,) if fact.remedy else ()
        return Reply(f"{title}: not read, {fact.reason}", verdict=Verdict.UNKNOWN, body=body, notes=notes)
    return _reply(title, entry, fact, notes)


def _commands(ctx: Context) -> Mapping[str, CommandEntry]:
    return ctx.book.commands if ctx.book is not None else {}


def _chosen(name: str, targets: Sequence[str], ctx: Context) -> Context:
    """The context of a target that has the command. Raises UsageError where none was meant, or several may be."""
    having = [one for one in (ctx, *ctx.others) if name in _commands(one)]
    if name in _commands(ctx) or len(having) == 1:
        return having[0]
    if having:
        raise UsageError(f"Several targets have {name}: name one with --target {' or '.join(targets)}.")
    raise UsageError(
        f"The runbook of {ctx.target.name} has no command {name}.",
        remedy=f"{words.listed(targets)} {'has' if len(targets) == 1 else 'have'} it: use --target {targets[0]}.",
    )


def _reply(title: str, entry: CommandEntry, record: Record, notes: tuple[str, ...]) -> Reply:
    """Show what was read in the form that the file asks for."""
    lines = [line for line in record.lines if line.strip()]
    doubt = entry.fact.settings.doubt(record)
    failed = doubt is not None and "exit_code" in record.outcome
    outcome = {key: value for key, value in record.outcome.items() if failed or key != "exit_code"}
    data: dict[str, object] = {
        "lines": lines[:MOST_DATA],
        "truncated": record.truncated or len(lines) > MOST_DATA,
        "outcome": dict(outcome),
    }
    facts = tuple(Fact(words.upper_first(key.replace("_", " ")), value) for key, value in outcome.items())
    ended = _but(doubt, outcome)
    verdict = Verdict.UNKNOWN if doubt is not None else None
    if said := not_text(record.outcome):
        return Reply(f"{title}: {said}{ended}", Verdict.UNKNOWN, facts=facts, notes=notes, data=data)
    if failed and record.kind == "exec" and record.outcome["exit_code"] in NOT_RUN:
        return Reply(f"{title}: {not_run(record)}", verdict, facts=facts, notes=notes, data=data)
    if not lines:
        said = doubt.reason if doubt is not None and not failed else f"nothing was printed{ended}"
        return Reply(f"{title}: {said}", verdict, facts=facts, notes=notes, data=data)
    more = ("There was more output than is read",) if record.truncated else ()
    if len(lines) == 1 and len(lines[0]) <= 150:
        return Reply(f"{title}: {lines[0].strip()}{ended}", verdict, facts=facts, notes=notes, data=data)
    body, tables, excerpts, cut = _shown(entry, record, lines)
    return Reply(
        f"{title}: {words.plural(len(lines), 'line')}{ended}",
        verdict,
        body=body,
        facts=facts,
        tables=tables,
        excerpts=excerpts,
        notes=(*more, *cut, *notes),
        data=data,
    )


def _but(doubt: Doubt | None, outcome: Mapping[str, str]) -> str:
    """Why what is shown may not be what was asked for, as the end of a sentence; empty where it is."""
    if doubt is None:
        return ""
    code = outcome.get("exit_code")
    return f", and ended with exit code {code}" if code is not None else f", but {doubt.reason}"


_Shown = tuple[tuple[Line, ...], tuple[Table, ...], tuple[Excerpt, ...], tuple[str, ...]]


def _shown(entry: CommandEntry, record: Record, lines: Sequence[str]) -> _Shown:
    """Return paragraphs, tables and excerpts for the lines, and notes on what is left out."""
    if entry.answer == "lines":
        cut = (f"{len(lines) - MOST_LINES:,} more lines are not shown",) if len(lines) > MOST_LINES else ()
        return tuple(lines[:MOST_LINES]), (), (), cut
    rows = rows_of(lines[: MOST_ROWS + 1]) if entry.answer == "table" else []
    if rows:
        cut = (f"{len(lines) - len(rows):,} more rows are not shown",) if len(lines) > len(rows) else ()
        if len(rows[0]) > MOST_COLUMNS:
            cut = (*cut, f"{len(rows[0]) - MOST_COLUMNS} more columns are not shown")
        header, *rest = (tuple(words.cut(cell, MOST_CELL) for cell in row[:MOST_COLUMNS]) for row in rows)
        table = Table(header, tuple(rest)) if rest else Table((), (header,))
        return (), (table,), (), cut
    text = "\n".join(record.lines)
    cut = (f"Only the first {MOST_CHARACTERS:,} characters are shown",) if len(text) > MOST_CHARACTERS else ()
    return (), (), (Excerpt(text[:MOST_CHARACTERS], filename="output.txt", redacted=True),), cut
