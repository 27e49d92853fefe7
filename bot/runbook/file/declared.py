"""Checks the commands that a runbook declares: their names, and their parameters' names and slots.

Repairs are commands as well; what only they have is checked in `bot.runbook.file.declared_repairs`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from bot.domain.runbook.facts.exec import Exec
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.model import CommandEntry, Runbook
from bot.domain.runbook.param import Param, slots
from bot.runbook.file.loader import Loaded
from bot.runbook.file.problem import Problem, nearest_word

RESERVED = ("target", "id", "output", "help", "reason", "dry-run")
"""Names that no parameter can have: flags of commands and repairs, and the id of a repair request."""


def command_facts(entry: CommandEntry) -> tuple[FactUse, ...]:
    """Return what a command reads: its fact, and the facts that list its parameters' values."""
    return (entry.fact, *(param.listed for param in entry.params.values() if param.listed is not None))


def command_problems(loaded: Loaded, runbook: Runbook, taken: Collection[str]) -> list[Problem]:
    """Return what is wrong with a runbook's commands. ``taken`` are names of the bot's own."""
    return [
        Problem(*loaded.line(place), place, message)
        for name, entry in runbook.commands.items()
        for place, message in (
            *name_problems("commands", name, entry.params, taken),
            *_slots(name, entry),
        )
    ]


def name_problems(
    section: str, name: str, params: Mapping[str, Param], taken: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the names of an entry and its parameters: places and messages."""
    if name in {word for one in taken for word in (one, one.partition(" ")[0])}:
        yield f"{section}.{name}", f"the bot has a command {name!r} of its own: take another name"
    for param in params:
        if param in RESERVED or param.startswith("model-"):
            message = f"a parameter can't be called {param!r}: commands have such a name already"
            yield f"{section}.{name}.params.{param}", message


def _slots(name: str, entry: CommandEntry) -> Iterator[tuple[str, str]]:
    """Every parameter needs its slot; other words in braces are literal text."""
    settings = entry.fact.settings
    if not isinstance(settings, Exec):
        if entry.params:
            kind = entry.fact.kind.name
            yield f"commands.{name}.params", f"parameters fill words of exec's command, and this reads {kind}"
        return
    yield from slot_problems(f"commands.{name}", entry.params, [settings.command])


def slot_problems(
    place: str, params: Mapping[str, Param], commands: Sequence[tuple[str, ...]]
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the slots of an entry's ``commands``: places and messages."""
    found = list(dict.fromkeys(slot for words in commands for slot in slots(words)))
    where = "the command" if len(commands) == 1 else "the commands"
    for param in params:
        if param not in found:
            others = [one for one in found if one not in params]
            hint = f"; {nearest_word(param, others)}" if others else ""
            yield f"{place}.params.{param}", f"no word of {where} has a slot {{{param}}}{hint}"
    for param in sorted({slot for words in commands for slot in slots(words[:1])} & set(params)):
        yield f"{place}.params.{param}", "a parameter can't be the program that runs"
