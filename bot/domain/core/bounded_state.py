"""Keeps a state of very many names small, and compares it all the same. Pure.

Where there are more names than may be kept, the largest groups of names are kept as one digest each. Of two states
the same groups are merged before they are compared, so that a name that is in a digest is neither new nor gone.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection

from bot.domain.core.look import State

MERGED = ".…"
"""What follows a group's name where its names are kept as one digest; no name ends with it."""
WHOLE = f"/{MERGED}"
"""The name of the digest of all groups, where even the groups are too many."""
DIGITS = 16
"""Hexadecimal digits of a digest. What goes into it are values that may be shown, and keyed fingerprints."""
Group = Callable[[str], str]
"""name → its group; empty for a name that is never merged. A group's digest belongs to the group."""


def bounded(state: State, most: int, group: Group, hidden: str = "") -> dict[str, str]:
    """The state with at most ``most`` names, as far as `group` allows; ``hidden`` precedes each digest."""
    if len(state) <= most:
        return dict(state)
    chosen, left = set(), len(state)
    for name, size in Counter(filter(None, map(group, state))).most_common():
        if left <= most or size == 1:
            break
        chosen.add(name)
        left -= size - 1
    return _merged(state, chosen, group, hidden) if left <= most else _whole(state, group, hidden)


def alike(one: State, other: State, group: Group, hidden: str = "") -> tuple[State, State]:
    """Both states with the same groups merged."""
    if WHOLE in one or WHOLE in other:
        return _whole(one, group, hidden), _whole(other, group, hidden)
    groups = {group(name) for name in (*one, *other) if name.endswith(MERGED)}
    if not groups:
        return one, other
    return _merged(one, groups, group, hidden), _merged(other, groups, group, hidden)


def digest(found: object) -> str:
    """A digest of what JSON can say."""
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:DIGITS]


def _merged(state: State, groups: Collection[str], group: Group, hidden: str) -> dict[str, str]:
    kept: dict[str, str] = {}
    parts: dict[str, dict[str, str]] = {}
    for name, value in state.items():
        if (of := group(name)) not in groups or name == of + MERGED:
            kept[name] = value
        else:
            parts.setdefault(of, {})[name] = value
    return kept | {of + MERGED: hidden + digest(sorted(part.items())) for of, part in parts.items()}


def _whole(state: State, group: Group, hidden: str) -> dict[str, str]:
    if WHOLE in state:
        return dict(state)
    merged = _merged(state, {group(name) for name in state} - {""}, group, hidden)
    kept = {name: value for name, value in merged.items() if not group(name)}
    rest = sorted((name, value) for name, value in merged.items() if name not in kept)
    return kept | ({WHOLE: hidden + digest(rest)} if rest else {})
