"""Find secrets in JSON data that the values beside them give away, before each value becomes a line. Pure.

In ``{"name": "DB_PASSWORD", "value": "…"}`` and in ``["--password", "…"]`` a name and its value are two values:
once each is a line of its own, nothing tells that the second is a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bot.domain.core.redact.plain import plain
from bot.domain.core.redact.words import PLACEHOLDER

Parts = tuple[str, ...]
MAX_DEPTH = 40
"""Depth below which data is left as it is: it is shown as one JSON text, which is redacted as such."""
_PAIRS = (("name", "value"), ("key", "value"), ("Name", "Value"), ("Key", "Value"))


def without_secrets(value: Any, redact: Callable[[Sequence[Parts]], Sequence[Parts]]) -> Any:
    """Return a copy of JSON data without the secrets that are known by what stands beside them.

    ``redact`` takes texts that belong together, in groups, and returns them without secrets; a value that begins
    with a secret is one as a whole. What is recognised by itself, or by its own key, is left to whoever redacts
    the lines.
    """
    copied = _copy(value, 0)
    groups = list(_groups(copied, "", 0))
    shown = redact([tuple(text for text, _ in group) for group in groups])
    for group, parts in zip(groups, shown, strict=True):
        for (text, place), part in zip(group, parts, strict=True):
            if place is not None and part != text:
                container, key = place
                container[key] = PLACEHOLDER if part.startswith(PLACEHOLDER) else part
    return copied


_Part = tuple[str, tuple[Any, Any] | None]
"""A text, and where it stands: its container and the key or index there. None: it only leads to the others."""


def _copy(value: Any, depth: int) -> Any:
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        return {key: _copy(inner, depth + 1) for key, inner in value.items()}
    if depth < MAX_DEPTH and isinstance(value, list):
        return [_copy(inner, depth + 1) for inner in value]
    return value


def _groups(value: Any, key: str, depth: int) -> Iterator[list[_Part]]:
    """Yield what has to be judged together; ``key`` is the one under which a list stands."""
    if depth >= MAX_DEPTH:
        return
    if isinstance(value, dict):
        yield from _pairs(value)
        both = [_leaves(value[name]) for name in ("command", "args") if isinstance(value.get(name), list)]
        if len(both) > 1:  # one command line for whoever runs it
            yield [part for parts in both for part in parts]
        for name, inner in value.items():
            yield from _groups(inner, str(name), depth + 1)
    elif isinstance(value, list):
        leaves = _leaves(value)
        yield from ([(f"{plain(key)}: ", None), leaf] for leaf in leaves if key)
        if len(leaves) > 1:
            yield leaves
        for inner in value:
            yield from _groups(inner, key, depth + 1)


def _pairs(value: dict[str, Any]) -> Iterator[list[_Part]]:
    """A name and its value, each under a key of its own."""
    for name, content in _PAIRS:
        if isinstance(value.get(name), str) and _is_leaf(value.get(content)):
            yield [(f"{plain(value[name])}=", None), (_text(value[content]), (value, content))]


def _leaves(value: list[Any]) -> list[_Part]:
    return [(_text(one), (value, number)) for number, one in enumerate(value) if _is_leaf(one)]


def _is_leaf(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return plain(str(value).replace("\n", " "))
