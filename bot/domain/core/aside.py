"""Rows of the ledger that could not be read and were set aside, as people read of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LISTED_FOR = timedelta(days=7)
KEPT_WHERE = "What it held is kept in the ledger's table set_aside."
_WORDS = {"incident": "Incident", "request": "Request", "job": "What was known of the job", "message": "Message"}


@dataclass(frozen=True)
class Aside:
    """A row that is not used any more."""

    kind: str
    """``incident``, ``request``, ``job`` or ``message``."""
    id: str
    at: datetime
    why: str

    def __str__(self) -> str:
        """In words."""
        return f"{_WORDS.get(self.kind, self.kind)} {self.id[:80]} can't be read: {self.why}"


def lines(found: Sequence[Aside]) -> list[str]:
    """One for each row, and where they are."""
    return [f"{one}. {KEPT_WHERE}" for one in found]
