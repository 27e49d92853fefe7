"""What is known of facts: their records and variables, and why one of them gives none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bot.domain.core.summary import UnknownCause
from bot.domain.runbook.bounded_values import BoundedValue, bounded_value
from bot.domain.runbook.expression import looped, loops
from bot.domain.runbook.kind import Asked, FactUse, Unreadable
from bot.domain.runbook.record import Record
from bot.ports.expressions import EvaluationFailed, Expression, NoKey, NothingThere, NotRead

CUT = "there was more output than is read"
"""What is said of a fact that was not read whole."""


@dataclass(frozen=True)
class Unread:
    """Why a fact could not be read, and what to do about it."""

    reason: str
    remedy: str = ""
    not_allowed: bool = False
    """Whether the bot lacks the right to read it."""
    cause: UnknownCause | None = None
    """What keeps it from being read, where that may keep others too."""
    whole: bool = False
    """Whether the reason itself says what failed: "no pod is running"."""


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

    def value(self, expression: Expression, *conditions: Expression) -> Any:
        """Return the expression's value. It sees what it asks about itself, and what its conditions do.

        Raises EvaluationFailed; NotRead as well where it fails otherwise, and lacks a variable.
        """
        return self._value(expression, expression.evaluate, conditions)

    def holds(self, condition: Expression) -> bool:
        """Return whether a condition is true. Raises as `value` does."""
        return bool(self._value(condition, condition.holds, ()))

    def _value(
        self, expression: Expression, given: Callable[[Mapping[str, Any]], Any], conditions: Iterable[Expression]
    ) -> Any:
        values = self.values(expression, *conditions)
        try:
            return given(values)
        except NotRead:
            raise
        except EvaluationFailed as error:
            for variable in sorted(expression.variables - values.keys()):
                raise NotRead(variable) from error
            raise

    def values(self, expression: Expression | None, *conditions: Expression) -> dict[str, Any]:
        """Return the variables for an expression, bounded by its loops.

        Of a fact that says nothing it gets what itself asks about, or one of its ``conditions``.
        """
        found: dict[str, Any] = {"now": self.now}
        for name, variables in self._variables.items():
            found |= {_named(name, key): one.value for key, one in self._seen(name, expression, variables)}
        for name, error in self._unreadable.items():
            if expression is not None and _asks(name, (expression, *conditions), error.asked_by):
                found |= {_named(name, key): one.value for key, one in self._seen(name, expression, error.asked)}
        return found

    def cut(self, *expressions: Expression | None) -> str:
        """Why what these expressions don't find may be there all the same; empty where they see all."""
        if any(record.truncated for record in self.records.values()):
            return CUT
        for name, variables in self._variables.items():
            for expression in expressions:
                for key, one in self._seen(name, expression, variables):
                    if one.cut:
                        return f"{_named(name, key)} is too long for a loop"
        return ""

    def unseen(self, *expressions: Expression) -> dict[str, bool]:
        """Return the variables of which there is more than these expressions see, and whether those only grow."""
        found = {
            (name, variable)
            for name, record in self.records.items()
            if record.truncated
            for variable in _of_text(self.uses[name], record)
        }
        for name, variables in self._variables.items():
            for expression in expressions:
                found |= {(name, key) for key, one in self._seen(name, expression, variables) if one.cut}
        return {_named(name, key): self.uses[name].kind.only_grows(key) for name, key in found}

    def _seen(
        self, name: str, expression: Expression | None, variables: Mapping[str, Any]
    ) -> Iterator[tuple[str, BoundedValue]]:
        """Those of a fact's variables that the expression names, as it sees them."""
        source = expression.source if expression is not None else ""
        depth = min(loops(source), 2)
        for key, value in variables.items():
            if _named(name, key) in source:
                at = (name, key, depth, looped(source, _named(name, key)))
                if at not in self._bounded:
                    self._bounded[at] = bounded_value(value, depth, looped=at[-1])
                yield key, self._bounded[at]

    def unreadable(self, *expressions: Expression) -> str:
        """Why the first fact that these expressions don't ask about gives nothing; empty where all do."""
        for name, fact in self.facts.items():
            error = self._unreadable.get(name)
            if isinstance(fact, Unread) or (error is not None and not _asks(name, expressions, error.asked_by)):
                return self._why(name)
        return ""

    @property
    def remedy(self) -> str:
        """What helps against the first fact that could not be read, where somebody knows; else empty."""
        return next((fact.remedy for fact in self.facts.values() if isinstance(fact, Unread)), "")

    def reason(self, expression: Expression, error: EvaluationFailed) -> tuple[str, bool]:
        """Why an expression has no value, and whether that is for lack of a right."""
        if not isinstance(error, NotRead):
            return self.lacking(expression, error) or self._without_line(expression, error) or str(error), False
        name = error.variable.rpartition(".")[0]
        fact = self.facts.get(name)
        absent = (
            f"{self.uses[name].source}: it does not exist"
            if isinstance(fact, Record) and "exists: false" in fact.citable
            else ""
        )
        why = self._why(name) or absent or self.unsaid(error) or str(error)
        return why, isinstance(fact, Unread) and fact.not_allowed

    def lacking(self, expression: Expression, error: EvaluationFailed) -> str:
        """Why a fact that the expression uses has no value of a name; empty where nobody knows."""
        if not isinstance(error, NoKey):
            return ""
        used = facts_of(expression)
        records = ((name, one) for name, one in self.records.items() if name in used)
        found = (self.uses[name].settings.lacking(one, error.key) for name, one in records)
        return next(filter(None, found), "")

    def _without_line(self, expression: Expression, error: EvaluationFailed) -> str:
        """That the one fact which an expression uses has no line of the kind that it asks for; else empty."""
        used = facts_of(expression)
        if not isinstance(error, NothingThere) or len(used) != 1 or not used <= self.records.keys():
            return ""
        return f"{self.uses[used.pop()].source}: none of its lines says so"

    def unsaid(self, missing: EvaluationFailed) -> str:
        """Why a fact that was read lacks an expression's variable; empty where it doesn't or nobody knows."""
        if not isinstance(missing, NotRead):
            return ""
        name, _, variable = missing.variable.rpartition(".")
        return self.uses[name].settings.unsaid(variable) if name in self.records else ""

    def _why(self, name: str) -> str:
        fact, error = self.facts.get(name), self._unreadable.get(name)
        if isinstance(fact, Unread):
            return fact.reason if fact.whole else f"{self.uses[name].source}: {fact.reason}"
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


def known(facts: Mapping[str, Fact], uses: Mapping[str, FactUse], now: datetime) -> Known:
    """Compute the variables of facts. ``uses`` say what each is."""
    variables: dict[str, Mapping[str, Any]] = {}
    unreadable: dict[str, Unreadable] = {}
    for name, fact in facts.items():
        if isinstance(fact, Record):
            try:
                variables[name] = _values(uses[name], fact)
            except Unreadable as error:
                variables[name], unreadable[name] = error.known, error
    return Known(facts, uses, now, variables, unreadable)


def facts_of(*expressions: Expression) -> set[str]:
    """Return the facts that expressions use."""
    return {variable.rpartition(".")[0] for one in expressions for variable in one.variables if variable != "now"}


def trusted(use: FactUse, fact: Fact) -> Fact:
    """Return the fact, as unread where it does not say what was asked for."""
    doubt = use.settings.doubt(fact) if isinstance(fact, Record) else None
    return fact if doubt is None else Unread(doubt.reason)


def _values(use: FactUse, record: Record) -> dict[str, Any]:
    """The variables of a fact. Raises Unreadable."""
    try:
        values = use.kind.values(record)
    except (ValueError, OverflowError) as error:  # a recorded one may hold anything
        raise Unreadable(f"{use.kind.name}: {error}") from error
    if (doubt := use.settings.doubt(record)) is not None:
        asked_by = tuple(Asked(variable) for variable in doubt.unless)
        raise Unreadable(doubt.reason, whole=True, asked=values, asked_by=asked_by)
    return values


def _of_text(use: FactUse, record: Record) -> Iterable[str]:
    """The variables that come from a record's text: those that are others with another text."""
    try:
        other = use.kind.values(replace(record, lines=(f"{record.lines[0] if record.lines else ''}…",)))
    except (Unreadable, ValueError, OverflowError):
        other = {}
    try:
        found = use.kind.values(record)
    except (Unreadable, ValueError, OverflowError):
        found = {}
    return [name for name in use.kind.variables if name not in other or other[name] != found.get(name)]


def _named(name: str, variable: str) -> str:
    return f"{name}.{variable}" if name else variable


def _asks(name: str, expressions: Iterable[Expression], asked_by: Iterable[Asked]) -> bool:
    """Whether one of the expressions asks about what an unreadable fact still says."""
    return any(_is_asked(_named(name, one.variable), one, it) for it in expressions for one in asked_by)


def _is_asked(variable: str, asked: Asked, expression: Expression) -> bool:
    if not asked.constants:
        return variable in expression.variables
    return not expression.compared.get(variable, frozenset()).isdisjoint(asked.constants)
