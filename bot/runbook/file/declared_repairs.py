"""Checks the repairs that a runbook declares, and the offers that name them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from bot.domain.core import words
from bot.domain.runbook.facts.exec import Exec
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.model import Runbook
from bot.domain.runbook.param import Param
from bot.domain.runbook.repair import Offer, RepairEntry
from bot.runbook.file.declared import Wrong, code_problems, name_problems, slot_problems
from bot.runbook.file.loaded import Loaded
from bot.runbook.file.problem import Problem, nearest_word

_CONTAINER = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
BUILTIN: Mapping[str, Mapping[str, re.Pattern[str]]] = {
    "restart": {"container": _CONTAINER},
    "image pull": {"container": _CONTAINER},
    "cron edit": {},
    "ssh keys copy": {},
    "egress repair": {},
}
"""The bot's own repairs that an offer can name, with the flags that it can give them."""
PARAM = "param."
"""How the variables of parameters begin: ``param.service``."""


def repair_facts(entry: RepairEntry) -> tuple[FactUse, ...]:
    """Return what a repair reads itself: for its condition, and for the names that its parameters take."""
    return (*entry.facts.values(), *(p.listed for p in entry.params.values() if p.listed is not None))


def param_variables(params: Mapping[str, Param]) -> dict[str, str]:
    """Return the variables of a repair's parameters with their types."""
    return {PARAM + name.replace("-", "_"): "string" for name in params}


def repair_problems(loaded: Loaded, runbook: Runbook, taken: Collection[str]) -> list[Problem]:
    """Return what is wrong with a runbook's repairs. ``taken`` are names of the bot's own commands."""
    said: list[Wrong] = []
    for name, entry in runbook.repairs.items():
        said += name_problems("repairs", name, entry.params, taken)
        said += slot_problems(f"repairs.{name}", entry.params, [step.exec.command for step in entry.steps])
        for place, command in _commands(name, entry):
            said += code_problems(place, entry.params, command)
        said += _names(loaded, runbook, name, entry)
    said += (problem for place, offer in _offers(runbook) for problem in _offered(loaded, runbook, place, offer))
    return [wrong.problem(loaded) for wrong in said]


def _commands(name: str, entry: RepairEntry) -> Iterator[tuple[str, tuple[str, ...]]]:
    """All commands that may have slots, with their places."""
    for number, step in enumerate(entry.steps):
        yield f"repairs.{name}.steps.{number}.exec.command", step.exec.command
    for fact, use in entry.facts.items():
        if isinstance(use.settings, Exec):
            yield f"repairs.{name}.facts.{fact}.exec.command", use.settings.command


def _names(loaded: Loaded, runbook: Runbook, name: str, entry: RepairEntry) -> Iterator[Wrong]:
    """The names that a repair uses: of its own, of its check, of what it would cost."""
    place = f"repairs.{name}"
    if name in runbook.commands:
        yield Wrong(place, f"there is a command {name!r} too: give one of them another name")
    if entry.refusal is not None and entry.only_if is None:
        yield Wrong(f"{place}.refusal", "it is never said: there is no only_if")
    if not loaded.may_have("checks", entry.verify.check):
        hint = nearest_word(entry.verify.check, loaded.names("checks"))
        yield Wrong(f"{place}.verify.check", f"there is no check {entry.verify.check!r}; {hint}")
    for one in entry.impact if isinstance(entry.impact, tuple) else ():
        if not loaded.may_have("impact", one):
            hint = nearest_word(one, loaded.names("impact"))
            yield Wrong(f"{place}.impact", f"there is no impact {one!r}; {hint}")


def _offers(runbook: Runbook) -> Iterator[tuple[str, Offer]]:
    """All offers of a runbook with their places."""
    for name, check in runbook.checks.items():
        if check.fails.offer is not None:
            yield f"checks.{name}.fails.offer", check.fails.offer
    for name, diagnosis in runbook.diagnoses.items():
        for number, cause in enumerate(diagnosis.causes):
            if cause.offer is not None:
                yield f"diagnoses.{name}.causes.{number}.offer", cause.offer


def _offered(loaded: Loaded, runbook: Runbook, place: str, offer: Offer) -> Iterator[Wrong]:
    """What is wrong with one offer: its repair, its parameters and their values."""
    entry = runbook.repairs.get(offer.repair)
    if entry is None and offer.repair not in BUILTIN:
        if not loaded.may_have("repairs", offer.repair):
            hint = nearest_word(offer.repair, [*loaded.names("repairs"), *BUILTIN])
            yield Wrong(place, f"there is no repair {offer.repair!r}; {hint}")
        return
    if entry is None:
        yield from _flags(place, offer)
        return
    params = entry.params
    for name, value in offer.values.items():
        if name not in params:
            yield Wrong(
                f"{place}.{name}", f"{offer.repair} has no parameter {name!r}; {nearest_word(name, params)}"
            )
            continue
        try:
            params[name].accepted(value)
        except ValueError as error:
            yield Wrong(f"{place}.{name}", str(error))
    for name, param in params.items():
        if param.default is None and name not in offer.values:
            yield Wrong(place, f"{offer.repair} needs a {name}: {{repair: {offer.repair}, {name}: …}}")


def _flags(place: str, offer: Offer) -> Iterator[Wrong]:
    """What is wrong with the flags of an offer of the bot's own repairs."""
    known = BUILTIN[offer.repair]
    for name, value in offer.values.items():
        if name not in known:
            hint = nearest_word(name, known)
            yield Wrong(f"{place}.{name}", f"{offer.repair} has no parameter {name!r}; {hint}")
        elif not known[name].fullmatch(value):
            yield Wrong(f"{place}.{name}", f"{words.cut(value, 63)!r} is no {name}'s name")


def offer_line(runbook: Runbook, offer: Offer | None) -> str:
    """Return the command line that asks for an offered repair; empty without an offer."""
    if offer is None:
        return ""
    if offer.repair not in runbook.repairs:
        return " ".join((offer.repair, *(f"--{name} {_word(value)}" for name, value in offer.values.items())))
    return command_line(offer.repair, _params(runbook, offer.repair), offer.values)


def command_line(name: str, params: Mapping[str, Param], values: Mapping[str, str]) -> str:
    """Return the command line of a declared command: what has a default is a flag. More flags may follow it."""
    given = {one: param for one, param in params.items() if one in values}
    written = {one: _word(values[one]) for one in given}
    said = (
        f"--{one} {written[one]}" if param.default is not None else written[one] for one, param in given.items()
    )
    return " ".join((name, *said))


def _word(value: str) -> str:
    """A value as the grammar reads it: one word, exactly this, and no flag."""
    if value.startswith(("--", "–", "—")):
        return f"\\{value[0]}{_word(value[1:]) if value[1:] else ''}"
    if re.fullmatch(r"[\w.:/@%+=,-]+", value):
        return value
    return '"' + re.sub(r"([\"\\“”„«»‘’])", r"\\\1", value) + '"'


def _params(runbook: Runbook, name: str) -> Mapping[str, Param]:
    return runbook.repairs[name].params if name in runbook.repairs else {}


def containers(entry: RepairEntry) -> Iterator[tuple[int, str]]:
    """Yield the container that each step names, with the step's number from 0."""
    for number, step in enumerate(entry.steps):
        if step.exec.container:
            yield number, step.exec.container
