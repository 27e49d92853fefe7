"""Expressions in CEL, in Google's runtime for Python.

Source of the language: https://github.com/google/cel-spec. Patterns are RE2's, and loops have a budget of
iterations, so an expression always ends.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

from bot.adapters import cel_analysis
from bot.adapters.cel_tree import Node, tree
from bot.domain.core import words
from bot.domain.core.pattern import pattern
from bot.domain.runbook.expression import masked, receiver
from bot.ports.expressions import (
    EvaluationFailed,
    Expression,
    InvalidExpression,
    NoKey,
    NothingThere,
    NothingToJudge,
    NotRead,
    TooMuch,
)

_TYPES = {
    "bool": cel.Type.BOOL,
    "int": cel.Type.INT,
    "double": cel.Type.DOUBLE,
    "string": cel.Type.STRING,
    "timestamp": cel.Type.TIMESTAMP,
    "duration": cel.Type.DURATION,
    "dyn": cel.Type.DYN,
    "list(string)": cel.Type.List(cel.Type.STRING),
    "list(dyn)": cel.Type.List(cel.Type.DYN),
    "map(string, double)": cel.Type.Map(cel.Type.STRING, cel.Type.DOUBLE),
    "map(string, dyn)": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
}
_PLACE = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")
_CODE = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$")
_EXPECTING = re.compile(r" expecting .*$")


class CelExpressions:
    """Compiles CEL, with one environment for each set of variables."""

    def __init__(self) -> None:
        """Nothing is compiled yet."""
        self._environments: dict[tuple[tuple[str, str], ...], cel.Env] = {}

    def compile(self, source: str, variables: Mapping[str, str], result: str) -> Expression:
        """Compile and type-check ``source``. Raises InvalidExpression."""
        environment = self._environment(variables)
        try:
            compiled = environment.compile(source)
        except RuntimeError as error:
            raise _invalid(str(error)) from None
        found = compiled.return_type()
        if found not in (_TYPES[result], cel.Type.DYN):
            raise InvalidExpression(f"this is of type {found.name().lower()}, and {result} is needed")
        made = _Compiled(environment, source, result, [name for name in variables if name in source], compiled)
        if "matches" in source or "grep" in source:
            _check_patterns(made)
        return made

    def _environment(self, variables: Mapping[str, str]) -> cel.Env:
        key = tuple(sorted(variables.items()))
        if key not in self._environments:
            types = {name: _TYPES[type_] for name, type_ in key}
            self._environments[key] = cel.NewEnv(
                variables=types, functions=[_SUM, _GREP, _SEARCHED, _FILLED], extensions=[ext_strings.ExtStrings()]
            )
        return self._environments[key]


class _Compiled:
    """One compiled expression."""

    def __init__(
        self, environment: cel.Env, source: str, result: str, names: Sequence[str], compiled: cel.Expression
    ) -> None:
        self.source = source
        self._environment, self._result, self._names = environment, result, names
        self._compiled = compiled if ".matches" not in source else None
        self._judging: cel.Expression | None = None

    @cached_property
    def tree(self) -> Node:
        """The expression's syntax tree."""
        return tree(self._environment.compile(self.source).serialize())

    @cached_property
    def variables(self) -> frozenset[str]:
        """The variables that it uses; a loop's own ones are none."""
        return cel_analysis.variables(self.tree)

    @cached_property
    def compared(self) -> Mapping[str, frozenset[Any]]:
        """The constants that it compares each variable with, directly or in a list."""
        return cel_analysis.compared(self.tree)

    def lasts(self, value: Any, cut: Mapping[str, bool]) -> bool:
        """Whether it gives ``value`` as well when there is more in the variables of ``cut`` than was read."""
        return cel_analysis.lasts(self.tree, value, cut)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return the value as plain Python. Raises EvaluationFailed."""
        if self._compiled is None:  # only now: most expressions of a runbook are seldom needed
            self._compiled = self._environment.compile(_rewritten(self.source))
        return self._value(self._compiled, values)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether the condition is true. Raises EvaluationFailed."""
        if _QUANTIFIER.search(self.source) is None:
            return bool(self.evaluate(values))
        if self._judging is None:
            self._judging = self._environment.compile(_rewritten(self.source, judging=True))
        try:
            return bool(self._value(self._judging, values))
        except TooMuch:
            raise
        except EvaluationFailed:
            if not self.evaluate(values):
                return False
            raise

    def _value(self, compiled: cel.Expression, values: Mapping[str, Any]) -> Any:
        try:
            # Each value is converted anew at every call, used or not: pass only those that the text names.
            value = compiled.eval(data={name: values[name] for name in self._names if name in values})
        except RuntimeError as error:
            raise self._failed(str(error)) from None
        if value.type() == cel.Type.ERROR:
            said = str(value.value())
            if match := _UNSET.search(said):
                raise NotRead(match[1])
            raise self._failed(said)
        if self._result != "dyn" and value.type() != _TYPES[self._result] and "(" not in self._result:
            raise EvaluationFailed(f"it gave a {value.type().name().lower()}, and {self._result} is needed")
        return value.plain_value()

    def _failed(self, said: str) -> EvaluationFailed:
        if match := _EMPTY.search(said):
            return NothingToJudge(match[1])
        if match := _MISSING.search(said):
            return NoKey(match[1])
        if "Iteration budget exceeded" in said:
            return TooMuch(_failure(said))
        empty = (match := _INDEX.search(said)) is not None and match[2] == "0"
        if empty and cel_analysis.is_sure_of_nothing(self.tree):
            return NothingThere(_failure(said))
        return EvaluationFailed(_failure(said))


def _check_patterns(compiled: _Compiled) -> None:
    """Refuse a pattern in an expression that RE2 does not take. Raises InvalidExpression."""
    for text, at in cel_analysis.patterns(compiled.tree):
        try:
            pattern(text)
        except ValueError as error:
            before = compiled.source[:at].split("\n")
            raise InvalidExpression(str(error), len(before), len(before[-1]) + 1) from None


_QUANTIFIER = re.compile(r"\.\s*(all|exists|exists_one)\s*\(")
_REWRITTEN = re.compile(rf"{_QUANTIFIER.pattern}|\.\s*matches\s*\(")


def _rewritten(source: str, *, judging: bool = False) -> str:
    """The expression with own functions: ``matches`` compiles a pattern once, and an empty list is a failure.

    With ``judging``, ``lines.all(…)`` becomes ``lines.filled_('lines').all(…)``, which fails on no lines. ``||``
    and ``&&`` still have a value where their other side decides, so the whole fails only where it depends on that.
    """
    parts, end = [], 0
    for found in _REWRITTEN.finditer(masked(source)):
        parts.append(source[end : found.start()])
        if found[1] is None:
            parts.append(".searched_(")
        elif judging:
            parts.append(f".filled_({json.dumps(words.cut(receiver(source, found.start()), 80))}).{found[1]}(")
        else:
            parts.append(found[0])
        end = found.end()
    return "".join([*parts, source[end:]])


def _invalid(said: str) -> InvalidExpression:
    """Translate the compiler's first error; further ones mostly follow from it."""
    match = _PLACE.search(said)
    if match is None:
        return InvalidExpression(_CODE.sub("", said)[:300])
    message = _EXPECTING.sub("", match[3]).removesuffix(" (in container '')")
    return InvalidExpression(message, max(1, int(match[1])), max(1, int(match[2])))


_MISSING = re.compile(r'Key not found in map : "?([^"]*)"?')
_INDEX = re.compile(r"Index error: index=(-?\d+) size=(\d+)")
_EMPTY = re.compile(r"(?s)<empty: (.*?)>")
_UNSET = re.compile(r'No value with name "([^"]*)" found in Activation')


def _failure(said: str) -> str:
    """Say in plain words why there is no value."""
    if match := _INDEX.search(said):
        if match[2] == "0":
            return "nothing matched"
        return f"there is no element {match[1]}: the list has {match[2]}, counted from 0"
    if "Iteration budget exceeded" in said:
        return "it looks at too many values: filter the fact first"
    return _CODE.sub("", said.split("\n")[0])[:200]


def _total(numbers: Sequence[Any]) -> float:
    if not numbers:
        raise ValueError("<empty: the list that sum() adds up>")
    return math.fsum(float(number) for number in numbers)


_SUM = cel.FunctionDecl(
    "sum",
    [cel.Overload("sum_list", cel.Type.DOUBLE, [cel.Type.List(cel.Type.DYN)], impl=_total)],
)
"""``sum(list)``: the total of numbers, which CEL lacks. There is none of no numbers."""
_LINES = cel.Type.List(cel.Type.STRING)


def _matching(lines: Sequence[str], text: str) -> list[str]:
    found = pattern(text).found
    return [line for line in lines if found(line)]


_GREP = cel.FunctionDecl(
    "grep", [cel.Overload("grep_lines", _LINES, [_LINES, cel.Type.STRING], is_member=True, impl=_matching)]
)
"""``lines.grep("pattern")``: the lines that match, as fast for a long log as for a short one.

``filter`` with ``matches`` compiles the pattern anew for each line, and its loop has a budget.
"""


def _searched(text: str, wanted: str) -> bool:
    return pattern(wanted).found(text)


_SEARCHED = cel.FunctionDecl(
    "searched_",
    [cel.Overload("searched_", cel.Type.BOOL, [cel.Type.STRING, cel.Type.STRING], is_member=True, impl=_searched)],
)
"""``matches``: that of the runtime compiles the pattern anew at every step of a loop."""
_LIST, _MAP = cel.Type.List(cel.Type.DYN), cel.Type.Map(cel.Type.DYN, cel.Type.DYN)


def _filled(given: Any, what: str) -> Any:
    if not len(given):
        raise ValueError(f"<empty: {what}>")
    return given


_FILLED = cel.FunctionDecl(
    "filled_",
    [
        cel.Overload("filled_list", _LIST, [_LIST, cel.Type.STRING], is_member=True, impl=_filled),
        cel.Overload("filled_map", _MAP, [_MAP, cel.Type.STRING], is_member=True, impl=_filled),
    ],
)
"""A list or a map as it is, or a failure where it is empty."""
