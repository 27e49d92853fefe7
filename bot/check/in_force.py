"""The settings in force: each with its value, its origin, and whether it differs from the default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from bot.domain.core import words
from bot.settings import naming, runbook_pod
from bot.settings.loader import Loaded
from bot.settings.model import hidden


@dataclass(frozen=True)
class Setting:
    """A setting in force, its value masked if it is a secret."""

    name: str
    """Its dotted name, with items of lists by their place from 0, as scripts and variables have it."""
    called: str
    """Its name for people."""
    value: str
    origin: str
    differs: bool
    """Whether somebody set it to another value than its default; what a runbook says is the runbook's default."""


def effective(loaded: Loaded) -> Iterator[Setting]:
    """Yield every setting, with secrets masked."""
    yield from _walk("", loaded.settings, PydanticUndefined, loaded)


def _walk(prefix: str, value: Any, default: Any, loaded: Loaded) -> Iterator[Setting]:
    if isinstance(value, BaseModel):
        for field, info in type(value).model_fields.items():
            name = info.alias or field
            usual = info.get_default(call_default_factory=True, validated_data={})
            yield from _walk(f"{prefix}.{name}" if prefix else name, getattr(value, field), usual, loaded)
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for number, item in enumerate(value):
            yield from _walk(f"{prefix}.{number}", item, PydanticUndefined, loaded)
    else:
        origin = loaded.origin(prefix)
        called = naming.called(prefix.split("."), loaded.settings)
        given = origin != "default" and not origin.startswith(runbook_pod.ORIGIN)
        differs = given and value != default and not called.endswith((f"[{value}].name", f"[{value}].job"))
        yield Setting(prefix, called, hidden(_masked(value)), origin, differs)


def _masked(value: Any) -> str:
    if isinstance(value, SecretStr):
        return f"set ({len(value.get_secret_value())} characters)"
    if value is None:
        return "not set"
    if isinstance(value, timedelta):
        return words.exactly(value)
    if value == "":
        return "empty"
    if isinstance(value, tuple):
        return ", ".join(map(_plain, value)) or "none"
    return _plain(value)


def _plain(value: Any) -> str:
    """A value as YAML would write it in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_plain(one)}" for name, one in value.items()) + "}"
    if isinstance(value, tuple | list | frozenset | set):
        return "[" + ", ".join(map(_plain, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(getattr(value, "value", value))
