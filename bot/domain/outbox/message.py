"""A message that is to be sent or edited, and where it is once that is done. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.domain.outbox.key import MessageKey


@dataclass(frozen=True)
class MessageRef:
    """A message that is there: in Slack, or wherever its sink keeps it."""

    channel: str
    ts: str


NONE = MessageKey()
UNDELIVERED_FOR = timedelta(days=7)
"""How long a message that was given up is listed, and is worth a try elsewhere."""


@dataclass(frozen=True)
class OutboxMessage:
    """A message that is pending, or that shows an older state than it should.

    What it says is not kept: it is made from the ledger's present state when it is sent, so that it is always the
    newest, and one that was missed twice is sent once.
    """

    key: MessageKey
    """Which message it is. One message each."""
    place: str
    """A channel's id, or a user's for a direct message."""
    under: MessageKey = NONE
    """The key of the message in whose thread it goes."""
    wanted: int = 1
    shown: int = 0
    posted: MessageRef | None = None
    thread: MessageRef | None = None
    """Where the message of ``under`` is, once it is posted."""
    attempts: int = 0
    unsure: bool = False
    """Whether an attempt may have posted a copy without anybody noting where. It stays: so does the copy."""
    error: str = ""
    """Why the last attempt failed."""
