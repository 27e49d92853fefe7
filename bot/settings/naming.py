"""Names settings for people: an item of a list by its own name, else by its place from 1."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.domain.core import words

_NAMED_BY = ("name", "job")
"""The settings that name an item of a list."""
_SHOWN = re.compile(r"[^\s\[\]]{1,64}")
"""A name that can stand in brackets."""


def called(path: Sequence[str], data: Any) -> str:
    """Return a setting's name: ``targets[web].heartbeats[backup].grace``, ``access.rules[#2].role``.

    ``data`` is what holds it: mappings and lists as read from a file, or validated models.
    """
    name = ""
    for part in path:
        if part.isdigit() and isinstance(data, list | tuple):
            name += f"[{item(data, int(part))}]"
            data = data[int(part)] if int(part) < len(data) else None
        else:
            name += f".{words.visible(part)}" if name else words.visible(part)
            data = _get(data, part)
    return name


def item(items: Sequence[Any], number: int) -> str:
    """Return what to call an item of a list, from 0: its name where no other has it, else ``#2``."""
    names = [_own_name(one) for one in items]
    mine = names[number] if number < len(names) else ""
    return mine if mine and names.count(mine) == 1 else f"#{number + 1}"


def _own_name(one: Any) -> str:
    found = next((value for key in _NAMED_BY if isinstance(value := _get(one, key), str)), "")
    return found if _SHOWN.fullmatch(found) else ""


def _get(data: Any, key: str) -> Any:
    return data.get(key) if isinstance(data, Mapping) else getattr(data, key, None)
