"""Turns validation errors into sentences: which setting, where its value came from, and what is expected."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from bot.domain.core import invalid
from bot.domain.runbook.wording import wrong_value
from bot.settings import naming, runbook_pod
from bot.settings.model import Settings


def sentences(error: ValidationError, origins: Mapping[str, str], data: Any) -> list[str]:
    """One sentence per problem. ``origins`` maps dotted names to where their values came from.

    ``data`` is what was validated, from which the items of lists have their names.
    """
    return [_sentence(item, origins, data) for item in mistakes(error)]


def mistakes(error: ValidationError) -> list[Any]:
    """The errors but for those that only follow from others."""
    found = error.errors(include_url=False)
    return [item for item in found if not _follows(item["loc"], item["type"], found)]


def _follows(path: tuple[int | str, ...], kind: str, found: Sequence[Any]) -> bool:
    """Whether "list too short" only follows from another error inside the list."""
    inside = (item["loc"][: len(path)] == path and len(item["loc"]) > len(path) for item in found)
    return kind == "too_short" and any(inside)


_SHAPES = {
    "at": "this is not a valid time of day: write it as 09:00, or leave it empty for no digest",
    "command": "this is not a valid slash command: write a slash and then small letters, digits, - or _",
    "connect": "this is not a valid address: write it as host:port",
    "home": "this is not a valid absolute path: begin it with /",
    "issue": "this is not a valid GitHub issue: write it as repository#12 or owner/repository#12",
    "metric": "this is not a valid metric: write letters, digits, _ or :, and begin with no digit",
    "name": "this is not a valid name: write letters, digits, - . or _, and begin with a letter or a digit",
    "namespace": "this is not a valid namespace: write small letters, digits or -",
    "path": "this is not a valid path: begin it with /",
}
"""Setting name → message for a value that doesn't match the setting's pattern."""


_LISTS = {"clusters": "clusters, each with name and kubeconfig"}
"""Setting name → what its list holds, where the name alone does not say it."""


def _message(item: Any, path: Sequence[str]) -> str:
    """What is wrong with a value, in words instead of patterns and types."""
    if item["type"] == "string_pattern_mismatch" and path[-1] in _SHAPES:
        return _SHAPES[path[-1]]
    if item["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return "it takes settings of its own below it: write one, or leave it out"
    if item["type"] == "tuple_type":
        return f"this is not a list: write a list of {_LISTS.get(path[-1], path[-1])}"
    return invalid.wrong(item)


def _sentence(item: Any, origins: Mapping[str, str], data: Any) -> str:
    path = [str(part) for part in item["loc"] if part != "[key]"]
    name = naming.called(path, data)
    origin = nearest(origins, path)
    where = f" ({origin})" if origin else ""
    if item["type"] == "extra_forbidden":
        return f"{name} is not a setting{where}.{_suggest(path)}"
    if origin is not None and origin.startswith(runbook_pod.ORIGIN):
        return invalid.ended(f"{name}{where}: {wrong_value(item)}")
    return invalid.ended(f"{name or 'The settings'}{where}: {_message(item, path)}")


def nearest(origins: Mapping[str, str], path: Sequence[str]) -> str | None:
    """The origin of a setting, or of the nearest section or list around it that has one."""
    for length in range(len(path), 0, -1):
        if origin := origins.get(".".join(path[:length])):
            return origin
    return None


def _suggest(path: Sequence[str]) -> str:
    """A hint with a similarly spelt setting of the same section, or with all its settings."""
    model: Any = Settings
    for part in path[:-1]:
        if not part.isdigit():
            model = _inner_model(model, part)
        if model is None:
            return ""
    known = [info.alias or name for name, info in model.model_fields.items()]
    near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else f" Known there: {', '.join(known)}."


def _inner_model(model: Any, field: str) -> Any:
    info = model.model_fields.get(field)
    todo = [info.annotation] if info else []
    while todo:
        kind = todo.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
        todo += list(getattr(kind, "__args__", ()))
    return None
