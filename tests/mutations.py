"""Changes one to three parts of recorded JSON: other types, odd texts, missing and nested parts."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 7, 1.5, 10**30, "", " ", "x", "²", "\0", "\ud800", "\u202e", "x" * 5_000, "[" * 50,
    "<!channel>", [], {}, [[]], [None], ["x"], {"": 0}, {"id": {}}, {"type": []}, [{"id": 5}], {"a": {"b": []}},
)  # fmt: skip


def deep(levels: int = 60) -> Any:
    """A deeply nested value."""
    found: Any = "x"
    for n in range(levels):
        found = [found] if n % 2 else {"a": found}
    return found


def mutations(originals: list[dict[str, Any]], count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Changed copies, reproducible by ``seed``."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    for number in range(count):
        changed = copy.deepcopy(originals[number % len(originals)])
        for _ in range(dice.randint(1, 3)):
            _change(changed, dice)
        yield changed


def _change(whole: dict[str, Any], dice: random.Random) -> None:
    """Change one part at any depth."""
    places = list(_places(whole))
    if not places:
        return
    holder, key = dice.choice(places)
    what = dice.random()
    if what < 0.2:
        del holder[key]
    elif what < 0.3:
        holder[key] = copy.deepcopy(dice.choice(places)[0])
    elif what < 0.33:
        holder[key] = deep()
    elif what < 0.4 and isinstance(holder[key], list | str):
        holder[key] = holder[key] * 3
    else:
        holder[key] = copy.deepcopy(dice.choice(ODD))


def _places(value: Any, level: int = 0) -> Iterator[tuple[Any, Any]]:
    if level > 12:
        return
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key], level + 1)
