"""Says what is wrong with a value that a model refused, in the bot's words.

The models validate with pydantic, whose own sentences name Python's types. Nobody who types a command or writes a
file should need to know those.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any

from bot.domain.core import words

NOT_SETTINGS = "it takes settings of its own below it"
NOT_LIST = "it takes a list"
NOT_USABLE = "it takes another kind of value"


def wrong(item: Mapping[str, Any]) -> str:
    """What is wrong, for one of `ValidationError.errors()`: a clause on the value, such as "it takes yes or no".

    A hint at the nearest choice needs the error's ``input``.
    """
    kind, limits = item["type"], item.get("ctx") or {}
    if kind in ("literal_error", "enum"):
        return _choices(limits, item.get("input"))
    if kind in _WITH_LIMIT:
        return _WITH_LIMIT[kind](limits)
    if kind in ("value_error", "assertion_error"):  # raised by a validator of ours
        return str(item["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return _PLAIN.get(kind, NOT_USABLE)


def ended(said: str) -> str:
    """A clause with the full stop that it lacks, as a sentence's end."""
    return said if said.endswith((".", "?")) else f"{said}."


def _choices(limits: Mapping[str, Any], given: object) -> str:
    known = re.findall(r"'([^']+)'", str(limits.get("expected", "")))
    return f"it takes {words.either(known)}{nearest(given, known)}"


def nearest(given: object, known: list[str]) -> str:
    """A sentence that asks whether the most similar choice was meant; empty where none is similar."""
    near = difflib.get_close_matches(given.lower(), known, n=1) if isinstance(given, str) else ()
    return f". Did you mean {near[0]}?" if near else ""


def _kinds(said: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, said)


_PLAIN = {
    "finite_number": "it takes a finite number",
    "none_required": "it takes no value",
    "int_parsing_size": "its number is too large",
    "invalid_key": "each name below it has to be text",
    **_kinds("it is missing", "missing", "missing_argument", "missing_keyword_only_argument"),
    **_kinds("there is no such setting", "extra_forbidden", "unexpected_keyword_argument"),
    **_kinds("it nests too deeply", "recursion_loop", "recursion_depth_exceeded"),
    **_kinds("it takes text", "string_type", "string_unicode", "bytes_type", "string_not_ascii"),
    **_kinds("it takes true or false", "bool_type", "bool_parsing"),
    **_kinds("it takes a whole number", "int_type", "int_parsing", "int_from_float"),
    **_kinds("it takes a number", "float_type", "float_parsing", "decimal_type", "decimal_parsing"),
    **_kinds(NOT_LIST, "tuple_type", "list_type", "set_type", "frozen_set_type", "iterable_type"),
    **_kinds(NOT_SETTINGS, "dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"),
    **_kinds("it takes a date, such as 2026-12-01", "date_type", "date_parsing", "date_from_datetime_parsing"),
    **_kinds(
        "it takes a time, such as 2026-12-01T08:00:00Z",
        "datetime_type", "datetime_parsing", "datetime_object_invalid", "datetime_from_date_parsing",
        "timezone_aware",
    ),
    **_kinds("it takes a time of day, such as 09:00", "time_type", "time_parsing"),
    **_kinds("it takes a duration, such as 10m", "time_delta_type", "time_delta_parsing"),
    **_kinds("it takes an address, such as https://HOST/PATH", "url_type", "url_parsing", "url_scheme"),
}  # fmt: skip
"""Type of an error → what is wrong."""

_PATH = "it takes a path that begins with /"
_HOME_PATH = "it takes a path that begins with / or ~/"
_OBJECT = "it takes a name of small letters, digits, - and ."
_FORMS = {
    r"^[^\n\r]*$": "it takes one line",
    r"^[^\x00\n\r]*$": "it takes one line",
    r"^/": _PATH,
    r"^/[^\x00-\x1f]*$": _PATH,
    r"^/[^\x00-\x1f]+$": _PATH,
    r"^/[^\x00-\x20]*$": f"{_PATH} and has no blanks",
    r"^(~|)/[^\x00-\x1f]+$": _HOME_PATH,
    r"^[^/\s]+$": "it takes a file's name, without / and blanks",
    r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$": "it takes a name of small letters, digits and -",
    r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$": _OBJECT,
    r"^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?$": _OBJECT,
    r"^[a-z0-9.-]*$": _OBJECT,
    r"^https?://[^\x00-\x20]+$": "it takes an address, such as https://HOST/PATH",
    r"^[A-Za-z0-9._:-]+$": "it takes a host's name or address",
    r"^[0-9a-f]{64}$": "it takes a digest: 64 of the characters 0-9 and a-f",
    r"^[0-9a-f]{12,64}$": "it takes a digest: 12 to 64 of the characters 0-9 and a-f",
}
"""A pattern of the models → what has it, in words."""


def _number(limit: object) -> str:
    return f"{limit:,}" if isinstance(limit, int | float) else str(limit)


def _form(limits: Mapping[str, Any]) -> str:
    given = str(limits.get("pattern", ""))
    return _FORMS.get(given, f"it must have the form {given}")


def _least(limits: Mapping[str, Any]) -> str:
    least = limits.get("min_length", 1)
    return "it needs at least one" if least == 1 else f"it needs at least {_number(least)}"


def _shortest(limits: Mapping[str, Any]) -> str:
    least = limits.get("min_length", 1)
    return "it is empty" if least == 1 else f"it needs at least {_number(least)} characters"


_WITH_LIMIT: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "string_pattern_mismatch": _form,
    "string_too_short": _shortest,
    "string_too_long": lambda limits: f"it has more than {_number(limits['max_length'])} characters",
    "too_short": _least,
    "too_long": lambda limits: f"it has more than {_number(limits['max_length'])} entries",
    "greater_than": lambda limits: f"it takes more than {_number(limits['gt'])}",
    "greater_than_equal": lambda limits: f"it takes at least {_number(limits['ge'])}",
    "less_than": lambda limits: f"it takes less than {_number(limits['lt'])}",
    "less_than_equal": lambda limits: f"it takes at most {_number(limits['le'])}",
    "multiple_of": lambda limits: f"it takes a multiple of {_number(limits['multiple_of'])}",
}
"""Type of an error → what is wrong, from the error's limits."""
