"""Rate-limit audit records of refusals, so that somebody who is refused 20,000 times can't fill the audit trail.

The first refusal of a kind is recorded at once. Repetitions within ten minutes are counted, and their count
becomes one record when that window is over. A process that dies loses its unrecorded counts, but never a first
refusal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from bot.domain.core.lazy_dataclass import dataclass

WINDOW = timedelta(minutes=10)
KINDS_EACH = 10
"""Kinds that are counted separately per person within the window; further ones share the kind `VARIOUS`."""
MOST = 1000
"""Kinds that are counted separately in all; people beyond that share the name `EVERYBODY`."""
VARIOUS = "various"
EVERYBODY = "several people"


@dataclass
class Sum:
    """The repetitions of one kind of refusal since its first was recorded."""

    who: str
    kind: str
    subject: str
    rule: str
    since: datetime
    last: datetime
    more: int = 0

    @property
    def data(self) -> dict[str, Any]:
        """The data of the audit record for the repetitions."""
        return {
            "rule": self.rule,
            "more": self.more,
            "since": self.since.isoformat(timespec="seconds"),
            "until": self.last.isoformat(timespec="seconds"),
        }


class Refusals:
    """Counts refusals by person and kind. Times are arguments."""

    def __init__(self) -> None:
        """Start with no refusals."""
        self._sums: dict[tuple[str, str], Sum] = {}

    def first(self, who: str, kind: str, subject: str, rule: str, now: datetime) -> bool:
        """Whether to record a refusal now, which is the first of its kind; repetitions are only counted."""
        key = self._key(who, kind)
        known = self._sums.get(key)
        if known is None:
            various = key[1] == VARIOUS
            about = (VARIOUS, VARIOUS) if various else (subject, rule)
            self._sums[key] = Sum(*key, *about, now, now, more=int(various))
            return not various
        known.more, known.last = known.more + 1, now
        return False

    def _key(self, who: str, kind: str) -> tuple[str, str]:
        """The key to count under: beyond the limits, refusals share a common key."""
        if (who, kind) in self._sums:
            return who, kind
        mine = sum(key[0] == who for key in self._sums)
        if not mine and len(self._sums) >= MOST:
            return EVERYBODY, VARIOUS
        return (who, kind) if mine < KINDS_EACH else (who, VARIOUS)

    def over(self, now: datetime, *, all_: bool = False) -> Iterator[Sum]:
        """Remove and yield the sums whose window is over, or all. Sums without repetitions need no record."""
        for key in [k for k, found in self._sums.items() if all_ or not timedelta() <= now - found.since < WINDOW]:
            found = self._sums.pop(key)
            if found.more:
                yield found

    def keep(self, sums: Iterable[Sum]) -> None:
        """Put back sums that could not be recorded, adding what was counted meanwhile."""
        for found in sums:
            since = self._sums.get((found.who, found.kind))
            if since is not None:
                found.more, found.last = found.more + since.more, since.last
            self._sums[found.who, found.kind] = found

    def unrecorded(self, who: str, kind: str) -> None:
        """Forget kinds that begin with ``kind``, whose first record failed, so that the next one is recorded."""
        for key in [k for k in self._sums if k[0] == who and k[1].startswith(kind)]:
            del self._sums[key]
