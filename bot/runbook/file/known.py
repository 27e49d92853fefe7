"""What is known of facts: their records and variables, and why one of them gives none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.domain.runbook.bounded_values import BoundedValue, bounded_value
from bot.domain.runbook.expression import looped, loops, masked
from bot.domain.runbook.kind import Doubt, FactUse, Unreadable
from bot.domain.runbook.record import Record
from bot.ports.expressions import EvaluationFailed, Expression, NotRead

CUT = "there was more output than is read"
"""What is said of a fact that was not read whole."""


@dataclass(frozen=True)
class Unread:
    """Why a fact could not be read, and what to do about it."""

    reason: str
    remedy: str = ""
    not_allowed: bool = False
    """Whether the bot lacks the right to read it."""


Fact = Record | Unread
"""What was read, or why it could not be."""


@dataclass(frozen=True)
class Known:
    """Facts by name. Variables are computed once, for all expressions."""

    facts: Mapping[str, Fact]
    uses: Mapping[str, FactUse]
    """What each fact is."""
    now: datetime
    _variables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    _unreadable: Mapping[str, Unreadable] = field(default_factory=dict)
    _bounded: dict[tuple[str, str, int, bool], BoundedValue] = field(default_factory=dict)

    @property
    def records(self) -> dict[str, Record]:
        """The facts that were read."""
        return {name: fact for name, fact in self.facts.items() if isinstance(fact, Record)}

    def values(self, expression: Expression | None, *asking: Expression | None) -> dict[str, Any]:
        """Return the variables for an expression, bounded by its loops.

        With others as ``asking``, it gets of unreadable facts what those ask for, in its own place.
        """
        found: dict[str, Any] = {"now": self.now}
        for name in self._variables:
            found |= {_named(name, key): one.value for key, one in self._seen(name, expression)}
        for name, error in self._unreadable.items():
            if _names(asking or (expression,), error.asked_by):
                found |= {_named(name, key): value for key, value in error.asked.items()}
        return found

    def cut(self, *expressions: Expression | None) -> str:
        """Why what these expressions don't find may be there all the same; empty where they see all."""
        if any(record.truncated for record in self.records.values()):
            return CUT
        for name in self._variables:
            for expression in expressions:
                for key, one in self._seen(name, expression):
                    if one.cut:
                        return f"{_named(name, key)} is too long for a loop"
        return ""

    def _seen(self, name: str, expression: Expression | None) -> Iterator[tuple[str, BoundedValue]]:
        """Those of a fact's variables that the expression names, as it sees them."""
        source = expression.source if expression is not None else ""
        depth = min(loops(source), 2)
        for key, value in self._variables[name].items():
            if _named(name, key) in source:
                at = (name, key, depth, looped(source, _named(name, key)))
                if at not in self._bounded:
                    self._bounded[at] = bounded_value(value, depth, looped=at[-1])
                yield key, self._bounded[at]

    def unreadable(self, *expressions: Expression | None) -> str:
        """Why the first fact that these expressions don't ask about gives nothing; empty where all do."""
        for name, fact in self.facts.items():
            error = self._unreadable.get(name)
            if isinstance(fact, Unread) or (error is not None and not _names(expressions, error.asked_by)):
                return self._why(name)
        return ""

    def reason(self, missing: NotRead) -> tuple[str, bool]:
        """Why an expression's variable is not there, and whether that is for lack of a right."""
        name = missing.variable.rpartition(".")[0]
        fact = self.facts.get(name)
        absent = (
            f"{self.uses[name].source}: it does not exist"
            if isinstance(fact, Record) and "exists: false" in fact.citable
            else ""
        )
        why = self._why(name) or absent or self.unsaid(missing) or str(missing)
        return why, isinstance(fact, Unread) and fact.not_allowed

    def unsaid(self, missing: EvaluationFailed) -> str:
        """Why a fact that was read lacks an expression's variable; empty where it doesn't or nobody knows."""
        if not isinstance(missing, NotRead):
            return ""
        name, _, variable = missing.variable.rpartition(".")
        return self.uses[name].settings.unsaid(variable) if name in self.records else ""

    def _why(self, name: str) -> str:
        fact, error = self.facts.get(name), self._unreadable.get(name)
        if isinstance(fact, Unread):
            return f"{self.uses[name].source}: {fact.reason}"
        if error is not None:
            return str(error) if error.whole else f"it can't be judged: {error}"
        return ""

    def of(self, names: Iterable[str]) -> Known:
        """Return the same of some facts only."""
        kept = [name for name in names if name in self.facts]
        return Known(
            {name: self.facts[name] for name in kept},
            self.uses,
            self.now,
            {name: self._variables[name] for name in kept if name in self._variables},
            {name: self._unreadable[name] for name in kept if name in self._unreadable},
        )

    def without(self, line: str) -> Known:
        """Return the same without a line, wherever it stands."""
        changed = {name: one.without(line) for name, one in self.records.items() if line in one.citable}
        return self._with(changed)

    def _with(self, records: Mapping[str, Fact]) -> Known:
        variables, unreadable = dict(self._variables), dict(self._unreadable)
        for name, fact in records.items():
            unreadable.pop(name, None)
            if isinstance(fact, Record):
                try:
                    variables[name] = _values(name, self.uses[name], fact)
                except Unreadable as error:
                    variables[name], unreadable[name] = error.known, error
        return Known({**self.facts, **records}, self.uses, self.now, variables, unreadable)


def known(facts: Mapping[str, Fact], uses: Mapping[str, FactUse], now: datetime) -> Known:
    """Compute the variables of facts. ``uses`` say what each is."""
    return Known({}, uses, now)._with(facts)


def trusted(use: FactUse, fact: Fact) -> Fact:
    """Return the fact, as unread where it does not say what was asked for."""
    doubt = use.settings.doubt(fact) if isinstance(fact, Record) else None
    return fact if doubt is None else Unread(doubt.reason)


def _values(name: str, use: FactUse, record: Record) -> dict[str, Any]:
    """The variables of a fact. Raises Unreadable."""
    try:
        values = use.kind.values(record)
    except (ValueError, OverflowError) as error:  # a recorded one may hold anything
        raise Unreadable(f"{use.kind.name}: {error}") from error
    if (doubt := use.settings.doubt(record)) is not None:
        raise Unreadable(doubt.reason, whole=True, asked=values, asked_by=_asking(name, doubt))
    return values


def _asking(name: str, doubt: Doubt) -> re.Pattern[str] | None:
    """What finds the fact's variables that say what its doubt does; None where there are none."""
    wanted = "|".join(re.escape(_named(name, variable)) for variable in doubt.unless)
    return re.compile(rf"(?<![\w.])({wanted})(?!\w)") if wanted else None


def _named(name: str, variable: str) -> str:
    return f"{name}.{variable}" if name else variable


def _names(expressions: Iterable[Expression | None], asked_by: re.Pattern[str] | None) -> bool:
    """Whether one of the expressions asks for what an unreadable fact still says."""
    if asked_by is None:
        return False
    given = (masked(one.source) for one in expressions if one is not None)
    return any(asked_by.search(source) is not None for source in given)
