"""The syntax tree of a compiled CEL expression, read from the form in which the runtime serializes it.

The form is `cel.expr.CheckedExpr`, https://github.com/google/cel-spec/blob/master/proto/cel/expr/checked.proto:
an expression is a message in Protocol Buffers' encoding, of which only what is needed here is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

Constant = str | int | float | bool | None
Kind = Literal["constant", "name", "field", "call", "list", "map", "loop"]


@dataclass(frozen=True)
class Node:
    """A part of an expression."""

    kind: Kind
    at: int = 0
    """Where it stands in the text: characters from the start."""
    name: str = ""
    """Of a name, a field, a called function, or a loop's variable."""
    value: Constant = None
    """Of a constant."""
    inner: tuple[Node, ...] = ()
    """Of a field: the map. Of a call: the target, if it has one, and the arguments. Of a list or a map: what is
    in it. Of a loop: its range, what it begins with, its condition, its step, and its result."""
    second: str = ""
    """Of a loop: the variable that holds what was found so far."""

    def calls(self, *names: str) -> bool:
        """Whether it is a call of one of these functions."""
        return self.kind == "call" and self.name in names


_AND, _OR = "_&&_", "_||_"


@dataclass(frozen=True)
class Loop:
    """What a macro such as ``lines.filter(l, …)`` was made of."""

    macro: Literal["all", "exists", "filter", "map", "other"]
    variable: str
    over: Node
    body: Node | None
    """What is evaluated for each element; None of a macro that is not known."""


def loop(node: Node) -> Loop:
    """Recognize the macro of a loop: CEL keeps only what it was expanded to."""
    over, start, _, step, result = node.inner
    plain = result.kind == "name" and result.name == node.second
    if plain and start.kind == "constant" and step.calls(_AND, _OR):
        return Loop("all" if step.calls(_AND) else "exists", node.name, over, step.inner[1])
    if plain and start.kind == "list" and not start.inner:
        if step.calls("_?_:_") and _is_appended(step.inner[1], node.name):
            return Loop("filter", node.name, over, step.inner[0])
        return Loop("map", node.name, over, step)
    return Loop("other", node.name, over, None)


def _is_appended(node: Node, name: str) -> bool:
    """Whether it is ``found + [name]``."""
    if not node.calls("_+_") or node.inner[1].kind != "list":
        return False
    return [(one.kind, one.name) for one in node.inner[1].inner] == [("name", name)]


def names(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[tuple[Node, Node | None]]:
    """Yield each use of a variable with the node around it; a loop's own variables are none."""
    yield from _names(node, None, bound)


def _names(node: Node, around: Node | None, bound: frozenset[str]) -> Iterator[tuple[Node, Node | None]]:
    if node.kind == "name" and node.name not in bound:
        yield node, around
    for number, one in enumerate(node.inner):
        inside = node.kind == "loop" and number > 1
        yield from _names(one, node, bound | {node.name, node.second} if inside else bound)


def every(node: Node) -> Iterator[Node]:
    """Yield the node and all within it."""
    yield node
    for one in node.inner:
        yield from every(one)


def tree(serialized: bytes) -> Node:
    """Decode a serialized expression."""
    checked = _message(_message(serialized).bytes(2))  # google.protobuf.Any
    places: dict[int, int] = {}
    for entry in _message(checked.bytes(5)).all(4):
        place = _message(entry)
        places[place.number(1)] = place.number(2)
    return _node(checked.bytes(4), places)


@dataclass
class _Message:
    """The fields of a message by number."""

    fields: dict[int, list[int | bytes]] = field(default_factory=dict)

    def all(self, number: int) -> Sequence[bytes]:
        return [one for one in self.fields.get(number, ()) if isinstance(one, bytes)]

    def bytes(self, number: int) -> bytes:
        return next(iter(self.all(number)), b"")

    def text(self, number: int) -> str:
        return self.bytes(number).decode("utf-8", "replace")

    def number(self, number: int) -> int:
        return next((one for one in self.fields.get(number, ()) if isinstance(one, int)), 0)


def _message(data: bytes) -> _Message:
    found, at = _Message(), 0
    while at < len(data):
        key, at = _varint(data, at)
        value: int | bytes
        if key & 7 == 0:
            value, at = _varint(data, at)
        else:
            size, at = _varint(data, at) if key & 7 == 2 else (8 if key & 7 == 1 else 4, at)
            value, at = data[at : at + size], at + size
        found.fields.setdefault(key >> 3, []).append(value)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _node(data: bytes, places: dict[int, int]) -> Node:
    message = _message(data)
    at = places.get(message.number(2), 0)
    kind = next((number for number in (3, 4, 5, 6, 7, 8, 9) if number in message.fields), 0)
    own = _message(message.bytes(kind))

    def inner(*numbers: int) -> tuple[Node, ...]:
        return tuple(_node(one, places) for number in numbers for one in own.all(number))

    match kind:
        case 3:
            return Node("constant", at, value=_constant(own))
        case 4:
            return Node("name", at, own.text(1))
        case 5:
            return Node("field", at, own.text(2), inner=inner(1))
        case 6:
            return Node("call", at, own.text(2), inner=inner(1, 3))
        case 7:
            return Node("list", at, inner=inner(1))
        case 8:
            parts = (part for one in own.all(2) for number in (3, 4) for part in _message(one).all(number))
            return Node("map", at, inner=tuple(_node(part, places) for part in parts))
        case 9:
            return Node("loop", at, own.text(1), inner=inner(2, 4, 5, 6, 7), second=own.text(3))
    return Node("constant", at)


def _constant(own: _Message) -> Constant:
    match next(iter(own.fields), 0):
        case 2:
            return bool(own.number(2))
        case 3 | 4 as number:
            value = own.number(number)
            return value - (1 << 64) if value >= 1 << 63 else value
        case 5:
            return float(struct.unpack("<d", own.bytes(5))[0])
        case 6:
            return own.text(6)
    return None
