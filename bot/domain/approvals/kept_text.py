"""The form in which a text is kept: without secrets, and without control and invisible characters.

JSON is judged by its values, each with its own name. In the text as a whole a name and its value may be two
neighbours that have nothing to do with each other, such as ``"token-service", "k8s:app": "auth"``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bot.domain.core.outside import Outside
from bot.domain.core.redact import PLACEHOLDER, plain, plain_text

_BETWEEN = "---"
"""A line between values, so that none of them leads to another."""
_SELECTORS = "matchLabels"
"""A policy's selector. Labels hold names: ``secret: vault`` is no secret there, and ``token: agent7`` still is."""


def kept_text(text: str, outside: Outside) -> str:
    """The text as it is kept; only the placeholder where nothing less is known to hide a secret in it."""
    shown, found = outside.text(text), _parsed(text)
    if found is None:
        return shown
    try:
        data = _opened(found)
        clean = outside.data(data)
        if clean != data:
            return outside.text(_json(clean))
        if not _has_secret(data, outside):
            return plain_text(text)
    except RecursionError:
        pass  # it can't be judged
    return PLACEHOLDER if shown == text else shown


def _parsed(text: str) -> Any:
    """The mapping or list that a text is as JSON; None where it is none, or where a name is given twice."""
    try:
        found = json.loads(text, object_pairs_hook=_mapping)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises ValueError for a name that is given twice: one of its values would not be judged."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is given twice")
    return found


def _has_secret(data: Any, outside: Outside) -> bool:
    """Whether a value in JSON data is a secret, by itself or by its name."""
    lines = [plain(line) for line in _lines(data, "", "")]
    return outside.lines(lines).lines != tuple(lines)


def _opened(value: Any) -> Any:
    """The data with each text that is JSON itself, such as an annotation that holds what was applied, as data."""
    if isinstance(value, str) and (inner := _parsed(value)) is not None:
        value = inner
    if isinstance(value, Mapping):
        return {name: _opened(part) for name, part in value.items()}
    return [_opened(part) for part in value] if isinstance(value, list) else value


def _lines(value: Any, name: str, within: str) -> Iterator[str]:
    """Yield each value as a line with its name, and text of several lines as it is besides."""
    if isinstance(value, Mapping):
        yield from (_json(name), _BETWEEN)
        for key, part in value.items():
            yield from _lines(part, key, name)
    elif isinstance(value, list):
        yield from (_json(name), _BETWEEN)
        for part in value:
            yield from _lines(part, name, within)
    else:
        yield f"{name}: {value}" if within == _SELECTORS else f"{_json(name)}: {_json(value)}"
        yield _BETWEEN
        if isinstance(value, str) and "\n" in value:
            yield from (*value.split("\n"), _BETWEEN)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
