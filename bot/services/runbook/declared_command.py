"""Runs the commands that a runbook declares: fills their parameters in, and reads their fact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.runbook.facts.exec import Exec
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.model import CommandEntry
from bot.domain.runbook.param import filled
from bot.errors import UsageError
from bot.runbook.file.compiled import CompiledRunbook
from bot.runbook.file.declared import command_facts
from bot.runbook.file.known import Fact, Unread, trusted
from bot.services.health.reads import CheckContext, reads_for
from bot.services.runbook.read_facts import all_facts, read_facts, rights_of, seconds_of

_MOST_LISTED = 20
"""Most names that a refusal lists."""


def use_of(entry: CommandEntry, values: Mapping[str, str]) -> FactUse:
    """Return the command's fact with the parameters' ``values`` in their slots."""
    settings = entry.fact.settings
    if not isinstance(settings, Exec) or not values:
        return entry.fact
    return replace(entry.fact, settings=settings.model_copy(update={"command": filled(settings.command, values)}))


async def read(
    ctx: CheckContext, entry: CommandEntry, values: Mapping[str, str], *, dry_run: bool = False
) -> Fact:
    """Read the command's fact. Raises UsageError for a value that the fact of its parameter does not list.

    In a dry run nothing is read, so any value will do.
    """
    use = use_of(entry, values)
    with reads_for(ctx, [seconds_of(one, ctx.probe_timeout) for one in (use, *command_facts(entry)[1:])]) as reads:
        for name, param in entry.params.items():
            if param.listed is not None and name in values:
                listed = trusted(param.listed, (await read_facts(reads[1], {name: param.listed}))[name])
                if dry_run:
                    continue
                if isinstance(listed, Unread):
                    return Unread(f"{name} can't be checked: {listed.reason}", listed.remedy)
                require_listed(name, values[name], [line.strip() for line in listed.lines if line.strip()])
        return (await read_facts(reads[0], {"": use}))[""]


def require_listed(name: str, value: str, known: Sequence[str]) -> None:
    """Raise UsageError for a parameter's value that is not among the ``known`` ones."""
    if value not in known:
        more = f" and {len(known) - _MOST_LISTED} more" if len(known) > _MOST_LISTED else ""
        listed = ", ".join(known[:_MOST_LISTED]) + more if known else "none"
        raise UsageError(f"{name.upper()}: there is no {value[:40]!r}. There is: {listed}.")


def rights(name: str, book: CompiledRunbook, target: Target) -> Sequence[Right]:
    """Return the Kubernetes rights that a declared command needs; none where the runbook doesn't have it."""
    entry = book.commands.get(name)
    return rights_of(all_facts(book, command_facts(entry)), target) if entry is not None else ()
