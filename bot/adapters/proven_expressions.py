"""Expressions of files whose tests have passed. Nothing is compiled, nor is CEL loaded, before it is needed.

CEL takes 7 MiB: a bot that nobody asks for a diagnosis does without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

from bot.ports.expressions import Expression, Expressions


class ProvenExpressions:
    """Compiles each expression at its first use."""

    @cached_property
    def _cel(self) -> Expressions:
        from bot.adapters.cel import CelExpressions

        return CelExpressions()

    def compile(self, source: str, variables: Mapping[str, str], result: str) -> Expression:
        """Return the expression, uncompiled."""
        return _Proven(source, partial(self._compile, source, variables, result))

    def _compile(self, source: str, variables: Mapping[str, str], result: str) -> Expression:
        return self._cel.compile(source, variables, result)


class _Proven:
    """An expression that is compiled at its first use."""

    def __init__(self, source: str, compile_: Callable[[], Expression]) -> None:
        self.source = source
        self._compile = compile_

    @property
    def variables(self) -> frozenset[str]:
        """The variables that it uses; a loop's own ones are none."""
        return self._expression.variables

    @property
    def compared(self) -> Mapping[str, frozenset[Any]]:
        """The constants that it compares each variable with, directly or in a list."""
        return self._expression.compared

    def lasts(self, value: Any, cut: Mapping[str, bool]) -> bool:
        """Whether it gives ``value`` as well when there is more in the variables of ``cut`` than was read."""
        return self._expression.lasts(value, cut)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return the value as plain Python. Raises EvaluationFailed."""
        return self._expression.evaluate(values)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether the condition is true. Raises EvaluationFailed."""
        return self._expression.holds(values)

    @cached_property
    def _expression(self) -> Expression:
        return self._compile()
