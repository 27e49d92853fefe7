"""Declares the commands that a runbook runs in containers: of facts, of declared commands and of repairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from bot.domain.core.target import Target
from bot.domain.rbac.exec_forms import ExecForm, Matching, Word, literal
from bot.domain.runbook.entry import Entry
from bot.domain.runbook.facts.exec import Exec
from bot.domain.runbook.facts.processes import Processes
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.model import Runbook
from bot.domain.runbook.param import SLOT, Param
from bot.services import container_exec
from bot.services.runbook.fact_reader import container_name


def exec_forms(runbook: Runbook, target: Target) -> list[ExecForm]:
    """Return the forms of all commands that the runbook's entries run in this target's containers."""
    commands, repairs = runbook.commands.values(), runbook.repairs.values()
    entries: list[tuple[Entry, Mapping[str, Param]]] = [
        *((one, {}) for one in (*runbook.checks.values(), *runbook.diagnoses.values(), *runbook.impact.values())),
        *((one, one.params) for one in commands),
        *((one, one.params) for one in repairs),
    ]
    found = [form for one, params in entries for used in _settings(one) for form in _forms(used, params, target)]
    return list(dict.fromkeys(found))


def _settings(value: Any) -> Iterator[Any]:
    """Yield the settings of all facts and the commands of all steps in an entry, however deep."""
    if isinstance(value, FactUse):
        yield value.settings
    elif isinstance(value, Exec):
        yield value
    elif isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from _settings(getattr(value, field))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _settings(inner)
    elif isinstance(value, tuple):
        for inner in value:
            yield from _settings(inner)


def _forms(settings: Any, params: Mapping[str, Param], target: Target) -> list[ExecForm]:
    if isinstance(settings, Processes):
        return container_exec.processes_forms(container_name(target, settings.container))
    if isinstance(settings, Exec):
        words = tuple(_word(word, params) for word in settings.command)
        return [ExecForm(container_name(target, settings.container), words)]
    return []


def _word(word: str, params: Mapping[str, Param]) -> Word:
    """Return the form of one word of a command: constant without a slot of a parameter."""
    parts = SLOT.split(word)  # text, name, text, name, …, text
    if not any(name in params for name in parts[1::2]):
        return word
    taken, plain = "", ""
    for number, part in enumerate(parts):
        if number % 2 == 0 or part not in params:
            text = literal(part if number % 2 == 0 else f"{{{part}}}")
            taken, plain = taken + text, plain + text
        else:
            taken += f"(?:{params[part].value_pattern})"
            plain += f"(?:{params[part].plain_pattern})"
    only = params.get(parts[1]) if parts[0] == parts[-1] == "" and len(parts) == 3 else None
    return Matching(tuple(dict.fromkeys((taken, plain))), only.integer if only is not None else None)
