"""Writes expressions in CEL, as the API server's admission evaluates them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

_REQUIREMENT = re.compile(
    r"\s*(?:!\s*(?P<none>[A-Za-z0-9._/-]+)"
    r"|(?P<set>[A-Za-z0-9._/-]+)\s+(?P<how>in|notin)\s*\((?P<values>[^()]*)\)"
    r"|(?P<key>[A-Za-z0-9._/-]+)\s*(?:(?P<mark>==|=|!=)\s*(?P<value>[A-Za-z0-9._/-]*))?)\s*(?:,|\Z)"
)
"""One requirement of a label selector. Source: Kubernetes, ``apimachinery/pkg/labels/selector.go``."""


def text(value: str) -> str:
    """A string, written in ASCII."""
    written = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[^ -~]", lambda found: f"\\U{ord(found[0]):08x}", written)


def texts(values: Iterable[str]) -> str:
    """A list of strings."""
    return f"[{', '.join(map(text, values))}]"


def either(parts: Sequence[str]) -> str:
    """At least one of the parts, each on a line; false without any."""
    return "\n|| ".join(parts) if parts else "false"


def both(*parts: str) -> str:
    """All of the parts, in parentheses."""
    return f"({' && '.join(parts)})"


def optional(place: str) -> str:
    """A map that may be absent; empty then."""
    return f"has({place}) ? dyn({place}) : dyn({{}})"


def same(one: str, other: str, but: Sequence[str]) -> str:
    """Whether two maps are equal, except for the keys in ``but``."""
    skipped, left, right = f"k in {texts(but)}", f"dyn({one})", f"dyn({other})"
    return (
        f"{left}.all(k, {skipped} || (k in {right} && {left}[k] == {right}[k]))\n"
        f"&& {right}.all(k, {skipped} || k in {left})"
    )


def selects(selector: str, labels: str) -> str:
    """Whether the map ``labels`` fits a label selector. Raises ValueError for one that is no selector."""
    parts, at = [], 0
    while at < len(selector):
        found = _REQUIREMENT.match(selector, at)
        if found is None:
            raise ValueError(f"{selector!r} is no label selector")
        parts.append(_requirement(found, labels))
        at = found.end()
    if not parts:
        raise ValueError("an empty label selector fits all pods")
    return " && ".join(parts)


def _requirement(found: re.Match[str], labels: str) -> str:
    if found["none"]:
        return f"!({text(found['none'])} in {labels})"
    if found["set"]:
        key = text(found["set"])
        among = texts(value.strip() for value in found["values"].split(","))
        present = f"({key} in {labels} && {labels}[{key}] in {among})"
        return present if found["how"] == "in" else f"!{present}"
    key = text(found["key"])
    if not found["mark"]:
        return f"{key} in {labels}"
    equal = f"({key} in {labels} && {labels}[{key}] == {text(found['value'])})"
    return f"!{equal}" if found["mark"] == "!=" else equal
