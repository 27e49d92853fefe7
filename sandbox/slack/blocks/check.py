"""Combinators that check JSON against Block Kit's rules, with error messages in Slack's words.

A ``Check`` takes a value, its JSON pointer and a ``Report``. Slack's wording is
``[ERROR] <what> [json-pointer:<where>]``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.slack.model import File


@dataclass(slots=True)
class Report:
    """The errors found in one set of blocks. ``characters`` counts all text."""

    surface: str = "message"
    find_file: Callable[[str], File | None] = lambda _: None
    errors: list[str] = field(default_factory=list)
    characters: int = 0
    block_ids: set[str] = field(default_factory=set)
    action_ids: set[str] = field(default_factory=set)
    tables: int = 0
    focused: int = 0

    def error(self, what: str, where: str) -> None:
        """Add one error."""
        self.errors.append(f"[ERROR] {what} [json-pointer:{where}]")


Check = Callable[[Any, str, Report], None]


def string(maximum: int, minimum: int = 1, *, counts: bool = False) -> Check:
    """A string of ``minimum`` to ``maximum`` characters; ``counts`` if readers see it."""

    def check(value: Any, where: str, report: Report) -> None:
        if not isinstance(value, str):
            report.error("must provide a string", where)
        elif len(value) < minimum:
            report.error(f"must be more than {minimum - 1} characters", where)
        elif len(value) > maximum:
            report.error(f"must be less than {maximum + 1} characters", where)
        elif counts:
            report.characters += len(value)

    return check


def boolean(value: Any, where: str, report: Report) -> None:
    """A boolean."""
    if not isinstance(value, bool):
        report.error("must provide a boolean", where)


def integer(low: int | None = None, high: int | None = None) -> Check:
    """A whole number within bounds."""

    def check(value: Any, where: str, report: Report) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            report.error("must provide a number", where)
        elif (low is not None and value < low) or (high is not None and value > high):
            report.error(f"must be between {low} and {high}", where)

    return check


def number(value: Any, where: str, report: Report) -> None:
    """Any number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        report.error("must provide a number", where)


def one_of(*allowed: str) -> Check:
    """One of the allowed words."""

    def check(value: Any, where: str, report: Report) -> None:
        if value not in allowed:
            report.error(f"must be one of {', '.join(allowed)}", where)

    return check


def url(maximum: int = 3000) -> Check:
    """An http(s), mailto or slack link."""

    def check(value: Any, where: str, report: Report) -> None:
        if not isinstance(value, str) or not value.startswith(("http://", "https://", "mailto:", "slack://")):
            report.error("invalid url", where)
        elif len(value) > maximum:
            report.error(f"must be less than {maximum + 1} characters", where)

    return check


def pattern(expression: str, what: str) -> Check:
    """A string that matches a pattern."""
    import re

    compiled = re.compile(expression)

    def check(value: Any, where: str, report: Report) -> None:
        if not isinstance(value, str) or compiled.fullmatch(value) is None:
            report.error(f"invalid {what}", where)

    return check


def array(item: Check, maximum: int, minimum: int = 1) -> Check:
    """A list of ``minimum`` to ``maximum`` items."""

    def check(value: Any, where: str, report: Report) -> None:
        if not isinstance(value, list):
            report.error("must provide an array", where)
            return
        if len(value) > maximum:
            report.error(f"no more than {maximum} items allowed", where)
            return
        if len(value) < minimum:
            report.error(f"no fewer than {minimum} items allowed", where)
        for index, each in enumerate(value):
            item(each, f"{where}/{index}", report)

    return check


def fields(required: dict[str, Check] | None = None, /, **optional: Check) -> Check:
    """An object with exactly these fields; ``type`` is always allowed, ``None`` means absent."""
    must = required or {}
    known = {**must, **optional}

    def check(value: Any, where: str, report: Report) -> None:
        if not isinstance(value, dict):
            report.error("must provide an object", where)
            return
        for name in must:
            if value.get(name) is None:
                report.error(f"missing required field: {name}", where)
        for name, part in value.items():
            checker = known.get(name)
            if checker is None:
                if name != "type":
                    report.error(f"invalid additional property: {name}", where)
            elif part is not None:
                checker(part, f"{where}/{name}", report)

    return check


def by_type(**kinds: Check) -> Check:
    """An object whose ``type`` selects the check."""

    def check(value: Any, where: str, report: Report) -> None:
        if not isinstance(value, dict):
            report.error("must provide an object", where)
            return
        kind = value.get("type")
        checker = kinds.get(kind) if isinstance(kind, str) else None
        if kind is None:
            report.error("missing required field: type", where)
        elif checker is None:
            report.error(f"unsupported type: {kind}", f"{where}/type")
        else:
            checker(value, where, report)

    return check


def also(first: Check, second: Check) -> Check:
    """Both checks, in order; the second only if the first found no error."""

    def check(value: Any, where: str, report: Report) -> None:
        before = len(report.errors)
        first(value, where, report)
        if len(report.errors) == before:
            second(value, where, report)

    return check


def exactly_one(*names: str) -> Check:
    """An object with exactly one of these fields."""

    def check(value: Any, where: str, report: Report) -> None:
        given = [name for name in names if value.get(name) is not None]
        if len(given) != 1:
            report.error(f"must provide exactly one of {', '.join(names)}", where)

    return check
