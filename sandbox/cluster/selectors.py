"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sandbox.cluster.status import bad_request

Object = dict[str, Any]
Match = Callable[[Object], bool]

_SET = re.compile(r"^(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s+\((?P<values>[^)]*)\)$")
_PAIR = re.compile(r"^(?P<key>[^\s!=]+)\s*(?P<op>==|=|!=)\s*(?P<value>\S*)$")
_SPLIT = re.compile(r",(?![^(]*\))")


def label_selector(text: str) -> Match:
    """A predicate for ``text``: equality, ``in``, ``notin``, presence and absence. Raises ApiError 400."""
    terms = [_label_term(part.strip()) for part in _SPLIT.split(text) if part.strip()]

    def match(obj: Object) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(term(labels) for term in terms)

    return match


def _label_term(part: str) -> Match:
    if found := _SET.match(part):
        key, values = found["key"], {value.strip() for value in found["values"].split(",")}
        if found["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _PAIR.match(part):
        key, value = found["key"], found["value"]
        if found["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if re.fullmatch(r"!\s*[\w./-]+", part):
        absent = part.lstrip("! ")
        return lambda labels: absent not in labels
    if re.fullmatch(r"[\w./-]+", part):
        return lambda labels: part in labels
    raise bad_request(f"unable to parse requirement: found '{part}'")


def field_selector(text: str) -> Match:
    """A predicate for ``a.b=c,d!=e``. Raises ApiError 400 for what is not of that form."""
    terms: list[tuple[list[str], str, bool]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _PAIR.match(part)
        if found is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        terms.append((found["key"].split("."), found["value"], found["op"] != "!="))
    return lambda obj: all((_field(obj, path) == value) is wanted for path, value, wanted in terms)


def _field(obj: Object, path: list[str]) -> str:
    value: Any = obj
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return "" if value is None else str(value)
