"""Checks the commands that a runbook declares: their names, and their parameters' names and slots."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from bot.domain.runbook.facts.exec import Exec
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.model import CommandEntry, Runbook
from bot.domain.runbook.param import slots
from bot.runbook.file.loader import Loaded
from bot.runbook.file.problem import Problem, nearest_word

RESERVED = ("target", "id", "output", "help")
"""Names that no parameter can have: flags of every command, and the id of a repair request."""


def command_facts(entry: CommandEntry) -> tuple[FactUse, ...]:
    """Return what a command reads: its fact, and the facts that list its parameters' values."""
    return (entry.fact, *(param.listed for param in entry.params.values() if param.listed is not None))


def command_problems(loaded: Loaded, runbook: Runbook, taken: Collection[str]) -> list[Problem]:
    """Return what is wrong with a runbook's commands. ``taken`` are names of the bot's own."""
    return [
        Problem(*loaded.line(place), place, message)
        for name, entry in runbook.commands.items()
        for place, message in (*_names(name, entry, taken), *_slots(name, entry))
    ]


def _names(name: str, entry: CommandEntry, taken: Collection[str]) -> Iterator[tuple[str, str]]:
    if name in {word for one in taken for word in (one, one.partition(" ")[0])}:
        yield f"commands.{name}", f"the bot has a command {name!r} of its own: take another name"
    for param in entry.params:
        if param in RESERVED or param.startswith("model-"):
            message = f"a parameter can't be called {param!r}: commands have such a name already"
            yield f"commands.{name}.params.{param}", message


def _slots(name: str, entry: CommandEntry) -> Iterator[tuple[str, str]]:
    """Every parameter needs its slot; other words in braces are literal text."""
    settings = entry.fact.settings
    if not isinstance(settings, Exec):
        if entry.params:
            kind = entry.fact.kind.name
            yield f"commands.{name}.params", f"parameters fill words of exec's command, and this reads {kind}"
        return
    found = list(dict.fromkeys(slots(settings.command)))
    for param in entry.params:
        if param not in found:
            others = [one for one in found if one not in entry.params]
            hint = f"; {nearest_word(param, others)}" if others else ""
            message = f"no word of the command has a slot {{{param}}}{hint}"
            yield f"commands.{name}.params.{param}", message
    for param in sorted(set(slots(settings.command[:1])) & set(entry.params)):
        yield f"commands.{name}.params.{param}", "a parameter can't be the program that runs"
