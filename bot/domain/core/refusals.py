"""Refusals that repeat are summed up: whoever is refused 20,000 times does not fill the audit trail.

The first of a kind is recorded at once. The same again within ten minutes is counted, and the sum becomes one
record when that time is over. What a process has counted and not yet recorded is lost with it; the first is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

WINDOW = timedelta(minutes=10)
KINDS_EACH = 10
"""Kinds of refusals of one person that are told apart within that time; the rest is one kind."""
MOST = 1000
"""Kinds that are told apart in all."""
VARIOUS = "various"
EVERYBODY = "several people"


@dataclass
class Sum:
    """One kind of refusals, since the record of the first."""

    who: str
    kind: str
    subject: str
    rule: str
    since: datetime
    last: datetime
    more: int = 0

    @property
    def data(self) -> dict[str, Any]:
        """What the record of the sum says."""
        return {
            "rule": self.rule,
            "more": self.more,
            "since": self.since.isoformat(timespec="seconds"),
            "until": self.last.isoformat(timespec="seconds"),
        }


class Refusals:
    """Which refusals were recorded lately. Times are arguments."""

    def __init__(self) -> None:
        """Nothing was."""
        self._sums: dict[tuple[str, str], Sum] = {}

    def first(self, who: str, kind: str, subject: str, rule: str, now: datetime) -> bool:
        """Whether a refusal is to be recorded: the first of its kind. Another one is counted."""
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
        """Under what it is counted: what is too much to be told apart goes together."""
        if (who, kind) in self._sums:
            return who, kind
        mine = sum(key[0] == who for key in self._sums)
        if not mine and len(self._sums) >= MOST:
            return EVERYBODY, VARIOUS
        return (who, kind) if mine < KINDS_EACH else (who, VARIOUS)

    def over(self, now: datetime, *, all_: bool = False) -> Iterator[Sum]:
        """The sums whose time is over, or all; they are forgotten. What did not repeat is recorded already."""
        for key in [k for k, found in self._sums.items() if all_ or not timedelta() <= now - found.since < WINDOW]:
            found = self._sums.pop(key)
            if found.more:
                yield found

    def keep(self, sums: Iterable[Sum]) -> None:
        """Sums that were over could not be recorded: they are due again, with what was counted meanwhile."""
        for found in sums:
            since = self._sums.get((found.who, found.kind))
            if since is not None:
                found.more, found.last = found.more + since.more, since.last
            self._sums[found.who, found.kind] = found

    def unrecorded(self, who: str, kind: str) -> None:
        """The record of the first of such kinds (by how they begin) was not kept: the next one is the first."""
        for key in [k for k in self._sums if k[0] == who and k[1].startswith(kind)]:
            del self._sums[key]
