"""What an expression asks about, and whether what it yields would last if there were more to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.adapters.cel_tree import Constant, Node, every, loop, names

_COMPARE = ("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_")
_TURNED = {"_<_": "_>_", "_<=_": "_>=_", "_>_": "_<_", "_>=_": "_<=_"}


def variables(node: Node) -> frozenset[str]:
    """Return the variables that it uses; those of its loops are none."""
    return frozenset(one.name for one, _ in names(node))


def compared(node: Node) -> dict[str, frozenset[Constant]]:
    """Return the constants that each variable is compared with: ``x == 1``, ``x in [1, 2]``."""
    found: dict[str, frozenset[Constant]] = {}
    for one, around in names(node):
        if around is not None and around.calls(*_COMPARE, "@in"):
            others = (other for side in around.inner if side is not one for other in (side, *side.inner))
            constants = frozenset(other.value for other in others if other.kind == "constant")
            found[one.name] = found.get(one.name, frozenset()) | constants
    return found


def patterns(node: Node) -> Iterator[tuple[str, int]]:
    """Yield each pattern that is written in it, with its place."""
    for one in every(node):
        if one.calls("matches", "grep") and one.inner[-1].kind == "constant":
            yield str(one.inner[-1].value), one.inner[-1].at


def is_sure_of_nothing(node: Node) -> bool:
    """Whether the first of no lines means that there is none: not where each of several lines asks for its own.

    ``[list].map(l, l[0])`` is no loop over several, but gives a value a name.
    """
    inside = node.inner[1:] if node.kind == "loop" and not _has_one_at_most(node.inner[0]) else ()
    if any(part.calls("_[_]") for one in inside for part in every(one)):
        return False
    return all(is_sure_of_nothing(one) for one in node.inner)


def _has_one_at_most(node: Node) -> bool:
    """Whether a list can't have more than one element."""
    if node.kind == "loop":
        found = loop(node)
        return found.macro in ("filter", "map") and _has_one_at_most(found.over)
    return node.kind == "list" and len(node.inner) < 2


def lasts(node: Node, value: Any, cut: Mapping[str, bool]) -> bool:
    """Whether it gives ``value`` as well when there is more in the variables of ``cut`` than was read.

    Those that are true there only get longer by it; of all others nothing is sure. Of a text that is not empty, it
    is enough that some text is given.
    """
    if not _uses(node, cut):
        return True
    return _text_lasts(node, str(value), cut) if isinstance(value, str) else _truth_lasts(node, bool(value), cut)


def _uses(node: Node, cut: Mapping[str, bool]) -> bool:
    return any(one.name in cut for one, _ in names(node))


def _truth_lasts(node: Node, value: bool, cut: Mapping[str, bool]) -> bool:
    if not _uses(node, cut):
        return True
    if node.calls("_&&_", "_||_"):
        return all(_truth_lasts(one, value, cut) for one in node.inner)
    if node.calls("!_"):
        return _truth_lasts(node.inner[0], not value, cut)
    if node.calls("_?_:_"):
        return not _uses(node.inner[0], cut) and all(_truth_lasts(one, value, cut) for one in node.inner[1:])
    if node.calls(*_COMPARE):
        return _size_lasts(node, value, cut)
    if node.calls("@in"):
        return value and not _uses(node.inner[0], cut) and _grows(node.inner[1], cut)
    if node.calls("contains"):
        return value and _grows(node.inner[0], cut) and not _uses(node.inner[1], cut)
    if node.kind != "loop":
        return False
    found = loop(node)
    if found.body is None or found.macro != ("exists" if value else "all") or not _grows(found.over, cut):
        return False
    return _truth_lasts(found.body, value, _without(cut, found.variable))


def _size_lasts(node: Node, value: bool, cut: Mapping[str, bool]) -> bool:
    """A size only grows: more than so many stays true, fewer than so many stays false."""
    left, right = node.inner
    name = node.name
    if not left.calls("size"):
        left, right, name = right, left, _TURNED.get(name, name)
    if not left.calls("size") or not _grows(left.inner[0], cut) or right.kind != "constant":
        return False
    if name in ("_==_", "_!=_"):
        return right.value == 0 and value is (name == "_!=_")
    return value is (name in ("_>_", "_>=_"))


def _text_lasts(node: Node, value: str, cut: Mapping[str, bool]) -> bool:
    if not _uses(node, cut):
        return True
    if node.calls("_[_]"):
        return _grows(node.inner[0], cut) and not _uses(node.inner[1], cut)
    if not node.calls("_?_:_"):
        return False
    condition, *branches = node.inner
    if not _uses(condition, cut):
        return all(_text_lasts(one, value, cut) for one in branches)
    for branch, other, holds in (branches[0], branches[1], True), (branches[1], branches[0], False):
        if value and other.kind == "constant" and other.value == "":
            return _truth_lasts(condition, holds, cut) and _text_lasts(branch, value, cut)
    return False


def _grows(node: Node, cut: Mapping[str, bool]) -> bool:
    """Whether a list only gets more elements, a text only gets longer."""
    if not _uses(node, cut):
        return True
    if node.kind == "name":
        return cut[node.name]
    if node.calls("grep"):
        return _grows(node.inner[0], cut) and not _uses(node.inner[1], cut)
    if node.calls("_+_"):
        return all(_grows(one, cut) for one in node.inner)
    if node.calls("_?_:_"):
        return not _uses(node.inner[0], cut) and all(_grows(one, cut) for one in node.inner[1:])
    if node.kind != "loop":
        return False
    found = loop(node)
    if found.body is None or found.macro not in ("filter", "map") or not _grows(found.over, cut):
        return False
    return not _uses(found.body, _without(cut, found.variable))


def _without(cut: Mapping[str, bool], variable: str) -> dict[str, bool]:
    return {name: grows for name, grows in cut.items() if name != variable}
