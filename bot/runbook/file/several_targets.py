"""Compares the commands that several targets' runbooks declare: a line is parsed before its target is known."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.runbook.model import CommandEntry
from bot.domain.runbook.repair import RepairEntry
from bot.runbook.file.compiled import CompiledRunbook
from bot.runbook.file.problem import Problem


def clashes(books: Mapping[str, CompiledRunbook]) -> list[Problem]:
    """Return commands of one name with different parameters or capabilities. ``books`` are by target."""
    first: dict[str, str] = {}
    problems: dict[str, Problem] = {}
    for target, book in books.items():
        for name, entry in _declared(book).items():
            before = books[first.setdefault(name, target)]
            other = _declared(before)[name]
            if (entry.params, entry.capability) != (other.params, other.capability):
                file, line = book.lines.get(name, ("", 0))
                where, there = before.lines.get(name, ("", 0))
                message = (
                    f"the runbook of target {first[name]} has another command of this name ({where} line {there})"
                    ": give both the same parameters and capability, or another name"
                )
                section = "commands" if name in book.commands else "repairs"
                problem = Problem(file, line, f"{section}.{name}", message)
                problems[str(problem)] = problem
    return list(problems.values())


def _declared(book: CompiledRunbook) -> dict[str, CommandEntry | RepairEntry]:
    """What can be called by name: commands and repairs, whose capabilities differ."""
    return {**book.commands, **{name: repair.entry for name, repair in book.repairs.items()}}
