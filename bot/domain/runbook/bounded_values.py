"""Bounds what an expression gets of a fact, since nothing interrupts it or runs beside it. Pure.

The runtime holds the interpreter's lock, copies a list for every element that ``filter`` and ``map`` add to it,
and stops only after ten thousand steps of all loops. With these bounds one evaluation takes about 0.1 s at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any


@dataclass(frozen=True)
class _Limit:
    elements: int
    characters: int


LOOP = _Limit(1_000, 262_144)
"""What a loop sees of a list; the characters are those of a list of lines."""
NESTED = _Limit(200, 65_536)
"""The same of a loop within a loop."""
TEXT = 16_384
"""Characters of a text, such as ``stdout``, in an expression with a loop."""
VALUES = 200_000
"""Values in lists and maps, such as ``json``, of any expression."""


@dataclass(frozen=True)
class BoundedValue:
    """A variable's value, and whether anything of it was left out."""

    value: Any
    cut: bool = False


def bounded_value(value: Any, loops: int, *, looped: bool = True) -> BoundedValue:
    """Bound a variable's value for an expression whose loops are nested so deep.

    Without ``looped`` no loop runs over the value itself: a map is then kept with all its keys.
    """
    limit = NESTED if loops > 1 else LOOP if loops else None
    if isinstance(value, str):
        return BoundedValue(value[:TEXT], True) if limit and len(value) > TEXT else BoundedValue(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return _lines(value, limit) if limit else BoundedValue(value)
    if isinstance(value, list | dict):
        cutter = _Cutter(limit.elements if limit else VALUES)
        return BoundedValue(cutter.kept(value, every=isinstance(value, dict) and not looped), cutter.cut)
    return BoundedValue(value)


def _lines(lines: list[str], limit: _Limit) -> BoundedValue:
    kept, left = lines[: limit.elements], limit.characters
    for number, line in enumerate(kept):
        left -= len(line)
        if left < 0:
            return BoundedValue(kept[:number], True)
    return BoundedValue(kept, len(lines) > len(kept))


class _Cutter:
    """Copies lists and maps, up to a number of elements of each list and of values in all."""

    def __init__(self, elements: int) -> None:
        self._elements, self._left = elements, VALUES
        self.cut = False

    def kept(self, value: Any, *, every: bool = False) -> Any:
        self._left -= 1
        if not isinstance(value, list | dict):
            return value
        most = len(value) if every else self._elements
        self.cut = self.cut or len(value) > most
        if isinstance(value, dict):
            return {key: self.kept(one) for key, one in islice(value.items(), most) if self._room()}
        return [self.kept(one) for one in value[:most] if self._room()]

    def _room(self) -> bool:
        self.cut = self.cut or self._left <= 0
        return self._left > 0
