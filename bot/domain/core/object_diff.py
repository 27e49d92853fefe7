"""What a change makes of an API object, field by field. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass

MOST, LONGEST = 50, 200
"""Fields that are kept of one change, and characters of a value."""
_SERVERS = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"})
"""Fields of ``metadata`` that the API server keeps by itself."""
_HIDDEN = "(hidden)"


@dataclass(frozen=True)
class FieldChange:
    """One field of an object that a change sets, alters or removes."""

    object: str
    """Kind and name."""
    path: str
    """Keys joined by dots; one with a dot of its own in brackets, an item of a list by its name: ``a[b.c].d``."""
    before: str | None = None
    """None: it was not there."""
    after: str | None = None
    """None: it is gone."""

    def __str__(self) -> str:
        """The field with its values, on one line."""
        if self.before == self.after:
            return f"~ {self.path} {_HIDDEN}"
        if self.before is None:
            return f"+ {self.path}: {self.after}"
        if self.after is None:
            return f"- {self.path}: {self.before}"
        return f"~ {self.path}: {self.before} → {self.after}"


def object_diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    """Compare two states of one object, without its status and what the API server keeps by itself.

    Values of a Secret are never shown, only that they differ.
    """
    kind = str(after.get("kind") or before.get("kind") or "object")
    metadata = after.get("metadata") or before.get("metadata") or {}
    name = f"{kind} {metadata.get('name', '')}".strip()
    found = []
    for path, old, new in _differences(_own(before), _own(after), ""):
        hidden = kind == "Secret" and path.partition(".")[0].partition("[")[0] in ("data", "stringData")
        found.append(FieldChange(name, path, _shown(old, hidden), _shown(new, hidden)))
        if len(found) == MOST:
            break
    return found


def deletion(kind: str, name: str) -> FieldChange:
    """The deletion of an object."""
    return FieldChange(f"{kind} {name}", "", "there")


def _own(state: Mapping[str, Any]) -> dict[str, Any]:
    """The object without what the API server keeps by itself."""
    kept = {key: value for key, value in state.items() if key not in ("status", "kind", "apiVersion")}
    metadata = kept.get("metadata")
    if isinstance(metadata, Mapping):
        kept["metadata"] = {key: value for key, value in metadata.items() if key not in _SERVERS}
    return kept


_ABSENT = object()


def _differences(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}, key=str):
            yield from _differences(before.get(key, _ABSENT), after.get(key, _ABSENT), _joined(path, str(key)))
    elif (old := _by_name(before)) is not None and (new := _by_name(after)) is not None:
        for name in dict.fromkeys([*old, *new]):
            yield from _differences(old.get(name, _ABSENT), new.get(name, _ABSENT), f"{path}[{name}]")
    elif isinstance(after, Mapping) and before is _ABSENT and after:
        for key in sorted(after, key=str):
            yield from _differences(_ABSENT, after[key], _joined(path, str(key)))
    elif before != after:
        yield path, before, after


def _by_name(value: Any) -> dict[str, Any] | None:
    """The items of a list whose items have different names; else None."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    found = {
        item["name"]: item for item in value if isinstance(item, Mapping) and isinstance(item.get("name"), str)
    }
    return found if len(found) == len(value) else None


def _joined(path: str, key: str) -> str:
    if "." in key:
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _shown(value: Any, hidden: bool) -> str | None:
    if value is _ABSENT:
        return None
    if hidden:
        return _HIDDEN
    return words.cut(str(value).lower() if isinstance(value, bool) else str(value), LONGEST)
