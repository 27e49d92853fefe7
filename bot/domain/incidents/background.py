"""What preceded an incident: the changes shortly before it, and earlier incidents of the same problem. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from bot.domain.core import change as change_words
from bot.domain.core import words
from bot.domain.core.change import RESTART, Change
from bot.domain.core.lazy_dataclass import dataclass

BEFORE = timedelta(minutes=30)
"""How long before an incident a change is named."""
NAMED = 3
"""Most changes that are named, the newest, restarts last; the others are counted."""
LOOKED_BACK = timedelta(days=30)
"""How far back earlier incidents are counted."""


@dataclass(frozen=True)
class SeenBefore:
    """Earlier incidents of the same problem within `LOOKED_BACK`."""

    times: int
    ended_at: datetime | None = None
    """When the last of them ended; None where that is not known."""
    how: str = ""
    """What ended it: ``by itself``, ``after restart``, ``closed, …``."""
    source: str = ""
    """The id of the last of them; from an older version also the audit record of its end."""

    def line(self) -> str:
        """How often, and what ended it last time."""
        often = f"{words.plural(self.times, 'time')} in the last {LOOKED_BACK.days} days"
        if self.ended_at is None:
            return often
        return f"{often}. {self.source} ended {words.moment(self.ended_at)}, {self.how}."


@dataclass(frozen=True)
class Background:
    """What preceded an incident, as it was known when it was announced."""

    changes: tuple[Change, ...] = ()
    """Changes before it, newest first."""
    more: int = 0
    """How many more changes there were."""
    seen: SeenBefore | None = None


def of(began: datetime, found: Iterable[Change], seen: SeenBefore | None) -> Background | None:
    """The background of an incident that began then, out of changes of its target, newest first; None: nothing."""
    mine = [change.public for change in found if change.at >= began - BEFORE]
    if not mine and seen is None:
        return None
    return Background(*named(mine), seen)


def named(found: Sequence[Change]) -> tuple[tuple[Change, ...], int]:
    """The changes to name, in their order, and how many more there are; restarts follow from other changes."""
    first = sorted(range(len(found)), key=lambda n: found[n].kind == RESTART)[:NAMED]
    return tuple(found[n] for n in sorted(first)), len(found) - len(first)


def changed_lines(changes: Sequence[Change], more: int) -> list[str]:
    """A line for each change, with its time and number; and how many more there were."""
    lines = [f"{one.text}, {change_words.when(one)} · {one.source}" for one in changes]
    return [*lines, f"{more} more, see `/agentpod changes`"] if more else lines
