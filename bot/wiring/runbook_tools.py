"""Compiles runbooks; an author's tools that need neither settings nor a cluster."""

from __future__ import annotations

from collections.abc import Collection

from bot.adapters.proven_expressions import ProvenExpressions
from bot.domain.core import words
from bot.domain.core.target import Target
from bot.errors import SettingsError
from bot.ports.expressions import Expressions
from bot.runbook.file import trial
from bot.runbook.file.compiled import CompiledRunbook, compile_runbook
from bot.runbook.file.declared_repairs import containers
from bot.runbook.file.loader import load, load_all
from bot.runbook.file.problem import Problem, nearest_word
from bot.services.health.checks import registry as checks
from bot.services.health.checks.external_secrets import ExternalSecretsCheck
from bot.settings.runbook_pod import is_path
from commands import registry

TAKEN = frozenset(filter(None, registry.BUILTIN.names))
"""Names of built-in commands, which a runbook's commands can't have."""
OWN_CHECKS = frozenset({*(kind.id for kind in checks.BUILTIN), ExternalSecretsCheck.id})
"""Names of built-in checks, which a runbook's checks can't have."""


def compiled(*places: str, taken: Collection[str] = TAKEN) -> CompiledRunbook:
    """Return the compiled runbook of paths or shipped names. Raises SettingsError with all problems.

    A runbook whose own tests fail is refused as well, and so is a command with a name that is ``taken``. Those of
    runbooks that ship with the bot were run with its own tests.
    """
    shipped = not any(map(is_path, places))
    expressions = ProvenExpressions() if shipped else _cel()
    book, problems = compile_runbook(load_all(places), expressions, taken, OWN_CHECKS)
    if book is None:
        raise SettingsError([str(problem) for problem in problems])
    if not shipped and (failed := _failed(book)):
        raise SettingsError(failed)
    return book


def compiled_all(
    every: Collection[tuple[str, ...]], taken: Collection[str] = TAKEN
) -> dict[tuple[str, ...], CompiledRunbook]:
    """Return several runbooks by their places. Raises SettingsError with all problems of all.

    ``taken`` are the names that their commands can't have.
    """
    found: dict[tuple[str, ...], CompiledRunbook] = {}
    problems: list[str] = []
    for places in every:
        try:
            found[places] = compiled(*places, taken=taken)
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(problems)
    return found


def container_problems(target: Target, book: CompiledRunbook) -> list[str]:
    """Return the steps of repairs that run in containers which the settings don't name for this target."""
    known = [one.name for one in target.containers]
    return [
        str(
            Problem(
                *book.lines[f"{name}.steps.{n}"], place, f"{target.name} has no container {container!r}; {hint}"
            )
        )
        for name, repair in book.repairs.items()
        for n, container in containers(repair.entry)
        if container not in known
        for place, hint in [(f"repairs.{name}.steps.{n}.exec.container", nearest_word(container, known))]
    ]


def lint(place: str) -> tuple[list[str], int]:
    """Check a runbook and run its own tests; returns lines to print and the exit code."""
    book, problems = compile_runbook(load(place), _cel(), TAKEN, OWN_CHECKS)
    if book is None:
        found = words.plural(len(problems), "problem")
        return [*(str(problem) for problem in problems), f"{place}: {found}"], 1
    if failed := _failed(book):
        return [*failed, f"{place}: {words.plural(len(failed), 'test')} of its own failed"], 1
    return [f"{place}: no problems ({', '.join(_counts(book))})"], 0


def test(place: str) -> tuple[list[str], int]:
    """Run a runbook's own tests; returns lines to print and the exit code: 2 without any test."""
    book, problems = compile_runbook(load(place), _cel(), TAKEN, OWN_CHECKS)
    if book is None:
        raise SettingsError([str(problem) for problem in problems])
    outcomes = trial.run(book)
    lines = [f"FAIL  {one}" if one.wrong else f"ok    {one.title}" for one in outcomes]
    failed = sum(bool(outcome.wrong) for outcome in outcomes)
    if not outcomes:
        return [f"{place} has no tests"], 2
    return [*lines, f"{len(outcomes) - failed} of {words.plural(len(outcomes), 'test')} passed"], int(failed > 0)


def show(place: str) -> tuple[list[str], int]:
    """Show what a runbook holds after ``extends``; returns lines to print and the exit code."""
    book = compiled(place)
    lines = [f"runbook {book.runbook.name}"]
    for name, check in book.checks.items():
        where = [*(["status"] if check.entry.status else []), *(["alert"] if check.entry.alert else [])]
        lines.append(f"  check {name}: {check.entry.title}" + (f" ({', '.join(where)})" if where else ""))
        lines += [f"    reads {use.source}" for use in check.entry.facts.values()]
    for name, diagnosis in book.diagnoses.items():
        lines.append(f"  diagnosis {name}: {diagnosis.entry.title}")
        lines += [f"    {number}. {cause.entry.name}" for number, cause in enumerate(diagnosis.causes, 1)]
    lines += [f"  command {name}: {command.summary}" for name, command in book.commands.items()]
    for name, repair in book.repairs.items():
        lines.append(f"  repair {name}: {repair.entry.summary}")
        lines += [f"    runs {step.exec.describe()}" for step in repair.entry.steps]
    lines += [f"  impact {name}: {impact.entry.title}" for name, impact in book.impact.items()]
    return lines, 0


def _failed(book: CompiledRunbook) -> list[str]:
    return [str(outcome) for outcome in trial.run(book) if outcome.wrong]


def _counts(book: CompiledRunbook) -> list[str]:
    found = (
        (len(book.checks), "check", "checks"),
        (len(book.diagnoses), "diagnosis", "diagnoses"),
        (len(book.commands), "command", "commands"),
        (len(book.repairs), "repair", "repairs"),
        (len(book.impact), "impact", "impacts"),
        (len(book.runbook.tests), "test", "tests"),
    )
    return [words.plural(count, one, many) for count, one, many in found if count] or ["it is empty"]


def _cel() -> Expressions:
    from bot.adapters.cel import CelExpressions  # loaded where it is needed at once

    return CelExpressions()
