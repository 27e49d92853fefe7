"""For which targets a right counts. Pure."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum


class Extent(Enum):
    """Named extents of a right; all others are lists of targets."""

    ANY = "any target"


ANY = Extent.ANY
"""It is enough to have the right for whatever target: what is shown is narrowed afterwards, or concerns none."""
Targets = tuple[str, ...] | Extent
"""The names of the targets that something concerns, for each of which the right is needed. An empty tuple is what
belongs to no target that is known: only a rule for all targets gives a right to it."""


def covers(given: Collection[str] | None, wanted: Collection[str]) -> bool:
    """Whether a right that is given for some targets is one for the wanted ones; none or empty: all targets."""
    return not given or (bool(wanted) and set(wanted) <= set(given))
