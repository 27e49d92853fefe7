"""Parses command lines, whose words `lexer` splits, and renders the usage of commands. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bot.domain.core import invalid
from bot.domain.core.outside import Outside
from bot.domain.rbac.roles import Capability
from bot.errors import UsageError
from bot.runbook.arguments import (
    argument_name,
    core_type,
    flag_of,
    is_positional,
    is_switch,
    listed_by,
    may_stand_alone,
    value_name,
)
from bot.runbook.command import Command, Invocation
from bot.runbook.command_list import CommandList
from bot.runbook.lexer import ends_flags, is_flag, takes_next, with_units, words_of


def parse(
    line: str,
    commands: Sequence[Command],
    *,
    prefix: str = "/agentpod",
    answers: Mapping[str, str] | None = None,
    outside: Outside | None = None,
) -> Invocation:
    """Parse a command line, with a form's ``answers`` by field name. Raises `UsageError` with what is wrong.

    ``outside`` knows the values that free text which is kept may not contain.
    """
    named = _find(_take_common(words_of(line))[0] or [""], commands, prefix)[0]
    with_values = _with_values(named)
    words, target, dry_run = _take_common(words_of(line, with_values), with_values)
    command, used = _find(words or [""], commands, prefix)
    rest = with_units(words[used:])
    if _asks_for_help(command, rest):
        command, rest = _find(["help"], commands, prefix)[0], command.name.split()
    values = {**_arguments(command, rest, prefix), **_answered(command, answers or {}, prefix)}
    try:
        params = command.params.model_validate(values, context=outside)
    except ValidationError as error:
        raise _wrong(error, command, prefix) from error
    return Invocation(command, params, target, dry_run, " ".join(line.split()))


def called(line: str, commands: Sequence[Command]) -> Command | None:
    """The command that a line names, whatever its arguments; None where it names none."""
    try:
        words, *_ = _take_common(words_of(line))
        return _find(words or [""], commands, "")[0]
    except UsageError:
        return None


def target_of(line: str, commands: Sequence[Command]) -> str | None:
    """The target that a line names; None where it names none, or is wrong."""
    try:
        return parse(line, commands).target
    except UsageError:
        return None


def _answered(command: Command, answers: Mapping[str, str], prefix: str) -> Mapping[str, str]:
    """Check that a form's answers are fields of this command, since forms can be forged; returns the answers."""
    unknown = sorted(set(answers) - set(command.params.model_fields))
    if unknown:
        raise UsageError(f"{command.name} does not ask for {unknown[0][:40]!r}.", usage=usage(command, prefix))
    return answers


def _find(words: Sequence[str], commands: Sequence[Command], prefix: str) -> tuple[Command, int]:
    """The command that the first words name (the longest name wins), and the number of those words."""
    known = CommandList.of(commands)
    for length in range(max((n.count(" ") for n in known.names), default=0) + 1, 0, -1):
        found = known.get(" ".join(words[:length]).lower())
        if found is not None and len(words) >= length:
            return found, length
    raise unknown_command(words[0], known.names, prefix)


_ALIKE = 0.65
"""How alike a word and a command must be to suggest it, from 0 to 1."""


def unknown_command(word: str, names: Sequence[str], prefix: str) -> UsageError:
    """The error for an unknown command, with the nearest command as suggestion.

    A word that resembles no command is not echoed: it may be a secret that was pasted by mistake.
    """
    if word.startswith("--"):
        return UsageError(
            "A command line begins with the command; its flags come after it.",
            remedy=f"{prefix} help lists what you may run.",
        )
    if longer := [n for n in names if n.startswith(f"{word.lower()} ")]:
        return UsageError(
            f"{word.lower()} needs another word: {', '.join(longer)}.",
            suggestion=longer[0],
            remedy=f"{prefix} help {longer[0]} says more about one of them.",
        )
    name = re.split("[=:]", word, maxsplit=1)[0] or word  # the rest would be a value, which may be secret
    near = difflib.get_close_matches(name.lower(), [n for n in names if n], n=1, cutoff=_ALIKE)
    return UsageError(
        f"There is no command {name!r}. Did you mean {near[0]!r}?" if near else "There is no such command.",
        suggestion=near[0] if near else None,
        remedy=f"{prefix} help lists what you may run.",
    )


def is_dry_run(line: str, commands: Sequence[Command]) -> bool:
    """Whether a line only asks for the calls; False where it is wrong."""
    try:
        return parse(line, commands).dry_run
    except UsageError:
        return False


def _with_values(command: Command) -> frozenset[str]:
    """Return the command's flags that take the next word as their value."""
    fields = command.params.model_fields.items()
    return frozenset(flag_of(n) for n, info in fields if not is_positional(info) and not is_switch(info))


def _take_common(
    words: Sequence[str], with_values: frozenset[str] = frozenset()
) -> tuple[list[str], str | None, bool]:
    """Take ``--target NAME`` and ``--dry-run`` out of the words before ``--``: every command accepts them.

    A ``--`` after one of ``with_values`` is that flag's value.
    """
    rest: list[str] = []
    target: str | None = None
    dry_run = False
    iterator = iter(words)
    for word in iterator:
        if ends_flags(word) and not takes_next(rest, with_values):
            rest += [word, *iterator]
        elif not is_flag(word):
            rest.append(word)
        elif word == "--target":
            target = next(iterator, None)
            if target is None:
                raise UsageError("--target needs a name after it.")
        elif word.startswith("--target="):
            target = word.removeprefix("--target=")
        elif word == "--dry-run":
            dry_run = True
        else:
            rest.append(word)
    return rest, target, dry_run


def _asks_for_help(command: Command, words: Sequence[str]) -> bool:
    """Whether ``--help`` is among a command's flags, and not the value of one."""
    fields = {flag_of(n): info for n, info in command.params.model_fields.items() if not is_positional(info)}
    values = iter(words)
    for word in values:
        if ends_flags(word):
            return False
        if word == "--help" and is_flag(word):
            return "--help" not in fields
        if word.lower() in fields and not is_switch(fields[word.lower()]):
            next(values, None)
    return False


def _arguments(command: Command, words: Sequence[str], prefix: str) -> dict[str, Any]:
    fields = command.params.model_fields
    flags = {flag_of(n): n for n, f in fields.items() if not is_positional(f)}
    places = [n for n, f in fields.items() if is_positional(f)]
    values: dict[str, Any] = {}
    rest = list(words)
    only_words = False
    while rest:
        word = rest.pop(0)
        if ends_flags(word) and not only_words:
            only_words = True
        elif is_flag(word) and not only_words:
            _take_flag(word, rest, flags, command, values, prefix)
        else:
            _take_word(word, places, fields, values, command, prefix, _taken_flag(words, flags, command))
    return values


def _take_flag(
    word: str,
    rest: list[str],
    flags: Mapping[str, str],
    command: Command,
    values: dict[str, Any],
    prefix: str,
) -> None:
    flag, has_value, value = word.partition("=")
    name = flags.get(flag.lower())
    if name is None:
        raise _unknown_flag(flag, flags, command, prefix, alone=word == flag and not rest and not values)
    if name in values:
        raise UsageError(f"{flag} is given twice.", usage=usage(command, prefix))
    if is_switch(command.params.model_fields[name]):
        if has_value:
            raise UsageError(f"{flag} is a switch and takes no value.", usage=usage(command, prefix))
        values[name] = True
        return
    if not has_value:
        if may_stand_alone(command.params.model_fields[name]) and (not rest or is_flag(rest[0])):
            values[name] = ""
            return
        if not rest:
            raise UsageError(f"{flag} needs a value after it.", usage=usage(command, prefix))
        value = rest.pop(0)
    values[name] = value


_PLAIN_FLAG = re.compile(r"--[a-z]{1,12}(-[a-z]{1,12})?")
"""A flag that is words, and so no secret."""


def _unknown_flag(
    flag: str, flags: Mapping[str, str], command: Command, prefix: str, *, alone: bool
) -> UsageError:
    """``alone``: nothing else was typed after the command."""
    harmless = command.needs is Capability.HELP and alone and _PLAIN_FLAG.fullmatch(flag)
    if command.sensitive_args and not harmless:
        return _too_much(command, prefix)
    near = difflib.get_close_matches(flag, flags, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    known = ", ".join(flags) if flags else "no flags"
    return UsageError(
        f"{command.name} has no flag {flag[:40]!r}.{hint} It takes {known}.", usage=usage(command, prefix)
    )


def _taken_flag(words: Sequence[str], flags: Mapping[str, str], command: Command) -> tuple[str, str] | None:
    """A flag that took the next flag for its value, and that one; None where none did."""
    fields = command.params.model_fields
    alone = {flag for flag, name in flags.items() if is_switch(fields[name]) or may_stand_alone(fields[name])}
    for flag, value in pairwise(word.lower() for word in words):
        if flag in flags.keys() - alone and value in flags:
            return flag, value
    return None


def _take_word(
    word: str,
    places: list[str],
    fields: Mapping[str, FieldInfo],
    values: dict[str, Any],
    command: Command,
    prefix: str,
    taken: tuple[str, str] | None,
) -> None:
    """``taken``: a flag that took the next one for its value, which explains a word too many."""
    for name in places:
        many = get_origin(core_type(fields[name].annotation)) is tuple
        if many:
            values.setdefault(name, []).append(word)
            return
        if name not in values:
            values[name] = word
            return
    if command.sensitive_args:
        raise _too_much(command, prefix)
    if taken is not None:
        flag, value = taken
        raise UsageError(f"{flag} needs a value after it, and {value!r} is a flag.", usage=usage(command, prefix))
    shown = word if len(word) <= 40 else word[:40] + "…"
    raise UsageError(f"{command.name} does not know what to do with {shown!r}.", usage=usage(command, prefix))


def _too_much(command: Command, prefix: str) -> UsageError:
    return UsageError(
        f"{command.name} takes less than what was typed, which is not repeated here.",
        usage=usage(command, prefix),
        remedy="If a secret was typed, Slack has it: treat it as leaked, and make another.",
    )


def _wrong(error: ValidationError, command: Command, prefix: str) -> UsageError:
    """The first error of a params model; for what is missing, which command lists what there is."""
    first = error.errors()[0]
    where = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] != "missing":
        return UsageError(_explain(first, where, command), usage=usage(command, prefix))
    info = command.params.model_fields[where]
    said = (info.description or "").removesuffix(".")
    what = f": {said[:1].lower()}{said[1:]}" if said else ""
    listed = listed_by(info)
    return UsageError(
        f"{argument_name(where, info)} is missing{what}{'' if what.endswith('…') else '.'}",
        usage=usage(command, prefix),
        suggestion=listed or None,
        remedy=f"{prefix} {listed} lists what there is." if listed else None,
    )


def _explain(first: ErrorDetails, where: str, command: Command) -> str:
    """One sentence about an error of a params model."""
    said = invalid.ended(invalid.wrong(first))
    if not where:
        return said
    info = command.params.model_fields.get(where)
    shown = argument_name(where, info) if info is not None else flag_of(where)
    return f"{shown} {said.removeprefix('it ')}" if said.startswith("it takes ") else f"{shown}: {said}"


def usage(command: Command, prefix: str = "/agentpod") -> str:
    """A command's usage in one line, such as ``/agentpod logs [--grep RE] [--tail N]``."""
    parts = [prefix, command.name]
    for name, info in command.params.model_fields.items():
        if is_positional(info):
            shown = name.upper().replace("_", "-")
            parts.append(shown if info.is_required() else f"[{shown}]")
        else:
            metavar = "" if is_switch(info) else " " + value_name(name, info)
            metavar = f" [{metavar[1:]}]" if may_stand_alone(info) else metavar
            parts.append(f"[{flag_of(name)}{metavar}]")
    return " ".join(p for p in parts if p)
