"""JSON as lines, one per value: ``status.conditions[0].type: Ready``. Each value can be cited and taken away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

_STEP = re.compile(r'\.?([A-Za-z_$][A-Za-z0-9_$-]*)|\[(\d{1,6})\]|\[("(?:[^"\\]|\\.)*")\]')
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")
_JSON_STARTS = frozenset('"[{tfnNI-0123456789 \t')
MAX_DEPTH = 40


def flattened(value: Any) -> Iterator[str]:
    """Yield a line for each value in JSON data."""
    yield from _lines("", value, 0)


def _lines(path: str, value: Any, depth: int) -> Iterator[str]:
    if depth < MAX_DEPTH and isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _lines(path + _key(str(key), path), inner, depth + 1)
    elif depth < MAX_DEPTH and isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _lines(f"{path}[{number}]", inner, depth + 1)
    else:
        yield f"{path}: {_shown(value)}"


def _key(key: str, path: str) -> str:
    if _PLAIN_KEY.fullmatch(key):
        return f".{key}" if path else key
    return f"[{json.dumps(key)}]"


def _shown(value: Any) -> str:
    if isinstance(value, str) and value and "\n" not in value and "\r" not in value and _read(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _read(text: str) -> Any:
    if text[:1] not in _JSON_STARTS:  # most values are plain text
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def inflated(lines: Iterable[str]) -> dict[str, Any]:
    """Return the data that `flattened` gave the lines of; what is in no line is missing. Skips malformed lines."""
    root: dict[str | int, Any] = {}
    for line in lines:
        path, position = _path(line)
        if path and line.startswith(": ", position):
            _put(root, path, _read(line[position + 2 :]))
    made = _made(root)
    return made if isinstance(made, dict) else {}


def _path(line: str) -> tuple[list[str | int], int]:
    """Return the path that a line begins with, and where it ends."""
    steps: list[str | int] = []
    position = 0
    while match := _STEP.match(line, position):
        name, number, quoted = match.groups()
        steps.append(name if name is not None else int(number) if number is not None else json.loads(quoted))
        position = match.end()
    return steps, position


def _put(root: dict[str | int, Any], path: list[str | int], value: Any) -> None:
    inside = root
    for step in path[:-1]:
        following = inside.setdefault(step, {})
        if not isinstance(following, dict):
            return
        inside = following
    if path:
        inside[path[-1]] = value


def _made(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(isinstance(step, int) for step in value):
        return [_made(value[step]) for step in sorted(value)]
    return {str(step): _made(inner) for step, inner in value.items()}
