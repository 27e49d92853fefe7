"""Expressions in CEL, in Google's runtime for Python.

Source of the language: https://github.com/google/cel-spec. Patterns are RE2's, and loops have a budget of
iterations, so an expression always ends.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

from bot.domain.core.pattern import pattern
from bot.ports.expressions import EvaluationFailed, Expression, InvalidExpression, NotRead, TooMuch

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
        try:
            compiled = self._environment(variables).compile(source)
        except RuntimeError as error:
            raise _invalid(str(error)) from None
        found = compiled.return_type()
        if found not in (_TYPES[result], cel.Type.DYN):
            raise InvalidExpression(f"this is of type {found.name().lower()}, and {result} is needed")
        return _Compiled(source, compiled, result, [name for name in variables if name in source])

    def _environment(self, variables: Mapping[str, str]) -> cel.Env:
        key = tuple(sorted(variables.items()))
        if key not in self._environments:
            types = {name: _TYPES[type_] for name, type_ in key}
            self._environments[key] = cel.NewEnv(
                variables=types, functions=[_SUM, _GREP], extensions=[ext_strings.ExtStrings()]
            )
        return self._environments[key]


class _Compiled:
    """One compiled expression."""

    def __init__(self, source: str, compiled: cel.Expression, result: str, names: Sequence[str]) -> None:
        self.source = source
        self._compiled, self._result = compiled, result
        self._names = names

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return the value as plain Python. Raises EvaluationFailed."""
        try:
            # Each value is converted anew at every call, used or not: pass only those that the text names.
            value = self._compiled.eval(data={name: values[name] for name in self._names if name in values})
        except RuntimeError as error:
            raise _failed(str(error)) from None
        if value.type() == cel.Type.ERROR:
            said = str(value.value())
            if match := _UNSET.search(said):
                raise NotRead(match[1])
            raise _failed(said)
        if self._result != "dyn" and value.type() != _TYPES[self._result] and "(" not in self._result:
            raise EvaluationFailed(f"it gave a {value.type().name().lower()}, and {self._result} is needed")
        return value.plain_value()


def _invalid(said: str) -> InvalidExpression:
    """Translate the compiler's first error; further ones mostly follow from it."""
    match = _PLACE.search(said)
    if match is None:
        return InvalidExpression(_CODE.sub("", said)[:300])
    message = _EXPECTING.sub("", match[3]).removesuffix(" (in container '')")
    return InvalidExpression(message, max(1, int(match[1])), max(1, int(match[2])))


_MISSING = re.compile(r'Key not found in map : "?([^"]*)"?')
_INDEX = re.compile(r"Index error: index=(-?\d+) size=(\d+)")
_UNSET = re.compile(r'No value with name "([^"]*)" found in Activation')


def _failed(said: str) -> EvaluationFailed:
    kind = TooMuch if "Iteration budget exceeded" in said else EvaluationFailed
    return kind(_failure(said))


def _failure(said: str) -> str:
    """Say in plain words why there is no value."""
    if match := _MISSING.search(said):
        return f"there is no {match[1]!r}"
    if match := _INDEX.search(said):
        return "nothing matched" if match[2] == "0" else f"there is no element {match[1]}, only {match[2]}"
    if "Iteration budget exceeded" in said:
        return "it looks at too many values: filter the fact first"
    return _CODE.sub("", said.split("\n")[0])[:200]


def _total(numbers: Sequence[Any]) -> float:
    return math.fsum(float(number) for number in numbers)


_SUM = cel.FunctionDecl(
    "sum",
    [cel.Overload("sum_list", cel.Type.DOUBLE, [cel.Type.List(cel.Type.DYN)], impl=_total)],
)
"""``sum(list)``: the total of numbers, which CEL lacks."""
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
