"""Expressions of a runbook: compiled and type-checked once, evaluated on facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class InvalidExpression(Exception):
    """An expression that can't be compiled. ``line`` and ``column`` count from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        """``message`` says what is wrong, without the place."""
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


class EvaluationFailed(Exception):
    """An expression that gives no value on these facts; the text says why."""


class NotRead(EvaluationFailed):
    """An expression that needs a variable which was not read."""

    def __init__(self, variable: str) -> None:
        """``variable`` is its name: ``log.lines``."""
        super().__init__(f"{variable} was not read")
        self.variable = variable


class NothingThere(EvaluationFailed):
    """An expression that asks for an element of a list which has none."""


class NoKey(EvaluationFailed):
    """An expression that asks for a key which a map does not have."""

    def __init__(self, key: str) -> None:
        """``key`` is what was asked for."""
        super().__init__(f"there is no {key!r}")
        self.key = key


class TooMuch(EvaluationFailed):
    """An expression that looks at more values than it may: what it would have given is not known."""


class NothingToJudge(EvaluationFailed):
    """A condition that is true only because a list is empty."""

    def __init__(self, what: str) -> None:
        """``what`` is the list, as the expression writes it: ``lines``."""
        super().__init__(f"nothing to judge: {what} is empty")


class Expression(Protocol):
    """A compiled expression."""

    @property
    def source(self) -> str:
        """Its text."""

    @property
    def variables(self) -> frozenset[str]:
        """The variables that it uses; a loop's own ones are none."""

    @property
    def compared(self) -> Mapping[str, frozenset[Any]]:
        """The constants that it compares each variable with, directly or in a list."""

    def lasts(self, value: Any, cut: Mapping[str, bool]) -> bool:
        """Whether it gives ``value`` as well when there is more in some variables than was read.

        ``cut`` has those variables, each with whether it only gets longer by it. For a text, any text will do.
        """

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return its value. Raises EvaluationFailed, never anything else."""

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether a condition is true. Raises EvaluationFailed.

        NothingToJudge: it is true only because ``all``, ``exists`` or ``exists_one`` found a list empty.
        """


class Expressions(Protocol):
    """Compiles expressions."""

    def compile(self, source: str, variables: Mapping[str, str], result: str) -> Expression:
        """Compile ``source``; ``variables`` maps names to types, ``result`` is the type that it must have.

        Raises InvalidExpression.
        """
