"""Descriptions of ledger rows that could not be read and were set aside. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.core.lazy_dataclass import dataclass

LISTED_FOR = timedelta(days=7)
KEPT_WHERE = "What it held is kept in the ledger's table set_aside."
_WORDS = {"incident": "Incident", "request": "Request", "job": "What was known of the job", "message": "Message"}


@dataclass(frozen=True)
class Aside:
    """A row that was set aside because its body could not be read."""

    kind: str
    """``incident``, ``request``, ``job`` or ``message``."""
    id: str
    at: datetime
    why: str

    def __str__(self) -> str:
        """A phrase for messages: which row it is, and why it can't be read."""
        return f"{_WORDS.get(self.kind, self.kind)} {self.id[:80]} can't be read: {self.why}"


def lines(found: Sequence[Aside]) -> list[str]:
    """One line for each row, with where its content is kept."""
    return [f"{one}. {KEPT_WHERE}" for one in found]
