"""Checks a runbook's tests before they run: what they are of, what is given, and what must come out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from bot.domain.runbook.facts.check import VERDICTS
from bot.domain.runbook.facts.processes import Processes
from bot.domain.runbook.kind import FactUse, key_of
from bot.domain.runbook.model import UNREADABLE, Runbook, Trial
from bot.domain.runbook.wording import shown
from bot.runbook.file.declared import Wrong
from bot.runbook.file.loaded import Loaded
from bot.runbook.file.problem import Problem, nearest_word

_OF = {"check": "checks", "diagnosis": "diagnoses", "repair": "repairs", "impact": "impact"}
"""What a test is of → its section."""
_THEN: Mapping[str, Mapping[str, Collection[str]]] = {
    "check": {"verdict": VERDICTS, "says": (), "severity": ("critical", "warning")},
    "diagnosis": {"cause": (), "says": (), "proof": ()},
    "repair": {"allowed": ("true", "false", "unknown"), "says": (), "runs": ()},
    "impact": {"shows": ()},
}
"""What may come out, by what a test is of; the values where only some are possible."""
_TEXT, _TRUNCATED = "text", "truncated"
_NUMBERS = ("exit_code", "status", "binary")
_FLAGS = ("exists", "connected", _TRUNCATED)


def trial_problems(loaded: Loaded, runbook: Runbook) -> list[Problem]:
    """Return what is wrong with a runbook's tests, whatever else is wrong with it."""
    found = (wrong for place, trial in loaded.tests for wrong in _problems(loaded, runbook, place, trial))
    return [wrong.problem(loaded) for wrong in found]


def _problems(loaded: Loaded, runbook: Runbook, place: str, trial: Trial) -> Iterator[Wrong]:
    named = {what: name for what in _OF if (name := getattr(trial, what)) is not None}
    if len(named) != 1:
        yield Wrong(place, "a test is of a check, a diagnosis, a repair or an impact: name one")
        return
    [(what, name)] = named.items()
    entries: Mapping[str, Any] = getattr(runbook, _OF[what])
    if name not in entries:
        if not loaded.may_have(_OF[what], name):
            known = nearest_word(name, loaded.names(_OF[what]))
            yield Wrong(f"{place}.{what}", f"there is no {what} {name!r}; {known}")
        yield from _then(f"{place}.then", trial.then, what, ())
        return
    uses = dict(entries[name].facts)
    causes: list[str] = []
    if what == "diagnosis":
        uses |= {fact: use for cause in entries[name].causes for fact, use in cause.facts.items()}
        causes = [cause.name for cause in entries[name].causes]
    yield from _given(f"{place}.given", trial.given, {key_of(fact, use): use for fact, use in uses.items()})
    yield from _then(f"{place}.then", trial.then, what, [*causes, "unknown"] if causes else ())


def _then(place: str, then: Mapping[str, Any], what: str, causes: Collection[str]) -> Iterator[Wrong]:
    known = _THEN[what]
    if not then:
        yield Wrong(place, f"it says nothing of what must come out; known: {', '.join(known)}")
    for name, value in then.items():
        where, possible = f"{place}.{name}", causes if name == "cause" else known.get(name, ())
        if name not in known:
            yield Wrong(where, f"a {what} has no {name!r}; {nearest_word(name, known)}")
        elif not _is_word(value):
            yield Wrong(where, f"it takes a text, and this is {shown(value)}")
        elif possible and _as_text(value) not in possible:
            yield Wrong(where, f"{shown(value)} can't come out; {nearest_word(_as_text(value), possible)}")


def _given(place: str, given: Mapping[str, Any], uses: Mapping[str, FactUse]) -> Iterator[Wrong]:
    for key, raw in given.items():
        where = f"{place}.{key}"
        if key not in uses:
            yield Wrong(where, f"there is no fact {key!r}; {nearest_word(key, uses)}")
        elif isinstance(raw, Mapping):
            yield from _parts(where, raw, uses[key])
        elif raw is None:
            yield Wrong(where, "it is empty: write '' where nothing was printed")
        elif not _is_word(raw):
            yield Wrong(
                where, f"a fact is its text, or {{text: …}} with what came with it, and this is {shown(raw)}"
            )
        elif _as_text(raw) != UNREADABLE and _as_text(raw).strip().lower() == UNREADABLE:
            yield Wrong(where, f"it would be the fact's text: write {UNREADABLE} where it can't be read")


def _parts(place: str, raw: Mapping[str, Any], use: FactUse) -> Iterator[Wrong]:
    """What is wrong with a fact's text and what comes with it."""
    expected = tuple(use.settings.expect) if isinstance(use.settings, Processes) else ()
    known = (_TEXT, _TRUNCATED, *use.kind.outcome, *expected)
    if not raw:
        yield Wrong(place, f"it is empty; it takes {', '.join(known)}")
    for name, value in raw.items():
        where = f"{place}.{name}"
        if name not in known:
            hint = nearest_word(str(name), known)
            yield Wrong(where, f"nothing called {name!r} comes with {use.kind.name}; {hint}")
        elif value is None or not _is_word(value):
            yield Wrong(where, f"it takes a text, and this is {shown(value)}")
        elif name in _NUMBERS and not _as_text(value).isdecimal():
            yield Wrong(where, f"it takes a whole number, and this is {shown(value)}")
        elif name in _FLAGS and _as_text(value) not in ("true", "false"):
            yield Wrong(where, f"it takes true or false, and this is {shown(value)}")


def _is_word(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
