"""Messages to be sent or edited, and references to posted ones. Pure."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.outbox.key import MessageKey


@dataclass(frozen=True)
class MessageRef:
    """A reference to a posted message, in Slack or in another sink."""

    channel: str
    ts: str


NONE = MessageKey()
UNDELIVERED_FOR = timedelta(days=7)
"""How long a message that was given up is listed, and may be rerouted to another place."""


@dataclass(frozen=True)
class OutboxMessage:
    """A pending message, which has to be posted or edited.

    Its text is not stored but rendered from the ledger's state when it is sent, so that it is always up to date,
    and several missed updates are sent as one.
    """

    key: MessageKey
    """Identifies the message."""
    place: str
    """A channel's id, or a user's id for a direct message."""
    under: MessageKey = NONE
    """The key of the thread's parent message; empty outside of threads."""
    wanted: int = 1
    shown: int = 0
    posted: MessageRef | None = None
    thread: MessageRef | None = None
    """Reference to the message of ``under``, once that is posted."""
    attempts: int = 0
    unsure: bool = False
    """Whether an attempt may have posted a copy at an unknown place. It is never reset, since the copy may
    stay."""
    error: str = ""
    """Why the last attempt failed."""
