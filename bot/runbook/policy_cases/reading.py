"""Reads a file of policy cases; each problem names its line and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from bot.domain.core import invalid, words
from bot.domain.rbac.access import AccessRule
from bot.domain.rbac.roles import ANYBODY
from bot.errors import SettingsError, UsageError
from bot.runbook.authorise import BY_ID, subject
from bot.runbook.command import Command
from bot.runbook.grammar import called, parse
from bot.runbook.policy_cases.cases import Case, Only, Person, PolicyCases
from bot.settings import regular_file, yaml_file

MOST_PROBLEMS = 20
_MODELS: Mapping[str, type[BaseModel]] = {"cases": Case, "only": Only, "people": Person}


@dataclass(frozen=True)
class CasesFile:
    """The cases of a file, with their lines."""

    name: str
    cases: PolicyCases
    lines: Mapping[str, int]
    """Dotted name → line, from 1."""

    def line(self, place: str) -> int:
        """The line of an entry, or of what it is in."""
        while place and place not in self.lines:
            place = place.rpartition(".")[0]
        return self.lines.get(place, 1)

    def problem(self, place: str, what: str) -> str:
        """The sentence on what is wrong with an entry; list items count from 1 in it, as in the other messages."""
        end = "" if what.endswith("?") else "."
        shown = ".".join(str(int(part) + 1) if part.isdigit() else part for part in place.split("."))
        return f"{self.name} line {self.line(place)}, {shown}: {what}{end}"


def read(
    path: Path, commands: Sequence[Command], targets: Sequence[str], rules: Sequence[AccessRule]
) -> CasesFile:
    """Read and check a file for these commands, targets and rules. Raises SettingsError with all problems."""
    try:
        raw = regular_file.read(str(path), yaml_file.MAX_BYTES + 1)
        text = raw.decode("utf-8")
    except (OSError, ValueError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError([f"{path} can't be read: {reason}."]) from None
    if len(raw) > yaml_file.MAX_BYTES:
        most = yaml_file.MAX_BYTES // 1024
        raise SettingsError([f"{path} has more than {most} KiB: divide it into several files."])
    parsed = yaml_file.parse(text, str(path), "policy test")
    if parsed.problems:
        raise SettingsError(parsed.problems)
    try:
        found = CasesFile(path.name, PolicyCases.model_validate(parsed.data), parsed.lines)
    except ValidationError as error:
        lines = CasesFile(path.name, _NONE, parsed.lines)
        raise SettingsError(
            _limited([_sentence(item, lines) for item in error.errors(include_url=False)])
        ) from None
    if problems := _limited([*_unknown(found, commands, targets), *_unknown_rules(found, rules)]):
        raise SettingsError(problems)
    return found


_NONE = PolicyCases.model_construct()


def _limited(problems: Sequence[str]) -> Sequence[str]:
    more = len(problems) - MOST_PROBLEMS
    return [*problems[:MOST_PROBLEMS], *([f"… and {more} more problems."] if more > 0 else [])]


def _sentence(item: Any, file: CasesFile) -> str:
    path = [str(part) for part in item["loc"]]
    place = ".".join(path)
    if item["type"] == "extra_forbidden":
        said = f"there is no such field; {_hint(path[-1], _fields(path[:-1]))}"
    elif item["type"] == "missing":
        said = "this is missing, and each entry has it"
    else:
        said = invalid.wrong(item)
    return file.problem(place, said) if place else f"{file.name} {said}."


def _fields(path: Sequence[str]) -> list[str]:
    model = _MODELS.get(path[0] if path else "", PolicyCases)
    return [info.alias or name for name, info in model.model_fields.items()]


def _hint(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"known there: {', '.join(known)}"


def _unknown(file: CasesFile, commands: Sequence[Command], targets: Sequence[str]) -> Iterator[str]:
    """Problems of people, commands and targets that there are not."""
    for number, case in enumerate(file.cases.cases):
        named = [("who", case.who), *((choice.value.replace("-", "_"), who) for choice, who in case.votes)]
        for name, who in named:
            yield from _unknown_person(file, f"cases.{number}.{name}", who)
        yield from _unknown_line(file, f"cases.{number}", case.run, case.target, commands, targets)
    for number, entry in enumerate(file.cases.only):
        place = f"only.{number}"
        problems = list(_unknown_line(file, place, entry.run, entry.target, commands, targets))
        yield from problems
        if not problems and command_of(entry.run, commands).command.needs in ANYBODY:
            yield file.problem(f"{place}.run", "everybody may run it, whatever the rules say")


def _unknown_rules(file: CasesFile, rules: Sequence[AccessRule]) -> Iterator[str]:
    """Problems of rules that there are not."""
    names = [rule.name for rule in rules if rule.name]
    numbers = range(1, len(rules) + 1)
    known = {*names, *numbers, *(f"access rule {number}" for number in numbers)}
    for number, case in enumerate(file.cases.cases):
        if case.rule is None or case.rule in known:
            continue
        place, count = f"cases.{number}.rule", words.plural(len(rules), "access rule")
        if isinstance(case.rule, int):
            yield file.problem(place, f"there is no access rule {case.rule}: the settings have {count}")
        else:
            hint = _hint(case.rule, names) if names else f"none of the {count} has a name"
            yield file.problem(place, f"no access rule is called {case.rule[:40]!r}; {hint}")


def _unknown_person(file: CasesFile, place: str, who: str) -> Iterator[str]:
    try:
        file.cases.person(who)
    except ValidationError:
        hint = _hint(who, list(file.cases.people)) if file.cases.people else "people is empty"
        yield file.problem(place, f"{who[:40]!r} is neither a name of people nor a user's id; {hint}")


def _unknown_line(
    file: CasesFile,
    place: str,
    line: str,
    target: str | None,
    commands: Sequence[Command],
    targets: Sequence[str],
) -> Iterator[str]:
    try:
        named = command_of(line, commands).target
    except UsageError as error:
        remedy = f" Usage: {error.usage}" if error.usage else ""
        yield file.problem(f"{place}.run", f"{error.message}{remedy}".removesuffix("."))
        return
    for field, one in (("target", target), ("run", named)):
        if one is not None and one not in targets:
            said = f"the settings have no target {one[:40]!r}; {_hint(one, targets)}"
            yield file.problem(f"{place}.{field}", said)
    if target is not None and named is not None and target != named:
        yield file.problem(f"{place}.target", f"the line names another target, {named!r}: leave one out")


@dataclass(frozen=True)
class Line:
    """The command of a line, and what the line says besides its arguments."""

    command: Command
    target: str | None = None
    """That of --target."""
    dry_run: bool = False
    by_id: bool = False
    """Whether it is about one request or incident: it has its id, or would need one."""


def command_of(line: str, commands: Sequence[Command]) -> Line:
    """Read a line, of which the command's name alone is enough.

    Raises UsageError for a line that the bot would not take.
    """
    try:
        found = parse(line, commands, prefix="agentpod")
    except UsageError:
        command = called(line, commands)
        if command is None or " ".join(line.lower().split()) not in (command.name, *command.aliases):
            raise
        by_id = command.concerns in BY_ID and command.params.model_fields["id"].is_required()
        return Line(command, by_id=by_id)
    return Line(found.command, found.target, found.dry_run, bool(subject(found)))
