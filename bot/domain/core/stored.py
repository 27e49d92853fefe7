"""Versioned JSON bodies of ledger rows, with migration on read.

A body without a version is version 1. When a field is renamed or changes its meaning, the version goes up, and a
step converts older bodies when they are read: stored bodies are never changed in place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import field, is_dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from bot.domain.core.lazy_dataclass import dataclass

T = TypeVar("T")
Upgrade = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Converts a body's fields to those of the next version."""

LARGEST = 1 << 20
"""Longest body that is read, in characters: agentpod writes none that large."""


class Unreadable(ValueError):
    """A body that this version can't read. The message says why, and quotes nothing of the body."""


@dataclass
class Stored(Generic[T]):
    """Serializes things of one kind to versioned JSON, and back."""

    kind: type[T]
    steps: tuple[Upgrade, ...] = ()
    """The first converts version 1 to 2, and so on."""
    _known: int = field(init=False)

    def __post_init__(self) -> None:
        """Derive the current version from the number of steps."""
        self._known = len(self.steps) + 1

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(self.kind)

    def dump(self, thing: T) -> str:
        """Serialize with the current version."""
        return f'{{"v":{self._known},{self._adapter.dump_json(thing).decode()[1:]}'

    def load(self, text: object) -> T:
        """Deserialize, migrating older versions. Raises `Unreadable` for what no version up to this one wrote."""
        if not isinstance(text, str):
            raise Unreadable("it is no text")
        if len(text) > LARGEST:
            raise Unreadable(f"it has {len(text):,} characters")
        try:
            as_it_is = text.startswith(f'{{"v":{self._known},') or self._is_first(text)
            found = self._adapter.validate_json(text if as_it_is else json.dumps(self._brought(text)))
            if _naive(found):
                raise Unreadable("a time in it has no time zone")
            return found
        except Unreadable:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise Unreadable("it is not what agentpod writes") from error

    def _is_first(self, text: str) -> bool:
        """Whether the body has no version and version 1 is the current one, so that it needs no migration."""
        return not self.steps and not text.startswith('{"v":')

    def _brought(self, text: str) -> Mapping[str, Any]:
        """Migrate an older body's fields to the current version."""
        fields: Mapping[str, Any] = json.loads(text)
        version = fields.get("v", 1)
        if not isinstance(version, int) or version < 1:
            raise Unreadable("its version is no number")
        if version > self._known:
            raise Unreadable(f"a newer agentpod wrote it (form {version}, and this one knows {self._known})")
        for step in self.steps[version - 1 :]:
            fields = step(fields)
        return fields


def _naive(value: object) -> bool:
    """Whether the value contains a time without a time zone, which can't be compared with any other."""
    if isinstance(value, datetime):
        return value.tzinfo is None
    if isinstance(value, tuple):
        return any(map(_naive, value))
    return is_dataclass(value) and any(_naive(getattr(value, name)) for name in value.__dataclass_fields__)
