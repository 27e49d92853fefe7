"""Bodies in the ledger: JSON that begins with the version of its form, so that another version of agentpod knows.

One without a version is of the first form. When a field is renamed or means something else, the version goes up,
and a step makes of an older body what this version reads: bodies are never changed in place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")
Step = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Makes of a body's fields those of the next version."""

LARGEST = 1 << 20
"""Most characters of a body that is read: a larger one is none of ours."""


class Unreadable(ValueError):
    """A body that this agentpod can't read; the message says why, and quotes nothing of it."""


@dataclass
class Stored(Generic[T]):
    """How things of a kind are kept."""

    kind: type[T]
    steps: tuple[Step, ...] = ()
    """From version 1 to 2, and so on."""
    _known: int = field(init=False)

    def __post_init__(self) -> None:
        """The newest version is the one behind the last step."""
        self._known = len(self.steps) + 1

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(self.kind)

    def dump(self, thing: T) -> str:
        """As the ledger keeps it."""
        return f'{{"v":{self._known},{self._adapter.dump_json(thing).decode()[1:]}'

    def load(self, text: object) -> T:
        """From the ledger. Raises `Unreadable` for what no version up to this one has written."""
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
        """Whether it is of the first form, and that is still the only one: nothing has to be done to it."""
        return not self.steps and not text.startswith('{"v":')

    def _brought(self, text: str) -> Mapping[str, Any]:
        """An older body's fields as those of this version."""
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
    """Whether a time without a zone is anywhere in it: it could be compared with no other."""
    if isinstance(value, datetime):
        return value.tzinfo is None
    if isinstance(value, tuple):
        return any(map(_naive, value))
    return is_dataclass(value) and any(_naive(getattr(value, name)) for name in value.__dataclass_fields__)
