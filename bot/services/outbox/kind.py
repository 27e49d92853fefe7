"""A kind of message: how it is rendered, its sink, and how one that couldn't be delivered is described."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage


async def _no(_: OutboxMessage) -> bool:
    return False


async def _nothing(_: OutboxMessage) -> None:
    """Do nothing."""


@asynccontextmanager
async def _just(_: OutboxMessage, __: Any) -> AsyncIterator[None]:
    yield


@dataclass(frozen=True)
class MessageKind:
    """One kind of message. Each feature lists its kinds, and `bot/wiring/outbox.py` registers them.

    All functions raise as the ledger does.
    """

    name: str
    """The first part of its messages' keys. Stored in the ledger, so it never changes."""
    render: Callable[[OutboxMessage], Awaitable[Any]]
    """Make the content from the ledger's current state; None where the message is no longer needed.

    A `Reply`, or whatever type its sink takes.
    """
    describe: Callable[[MessageKey], Awaitable[str]]
    """Describe a message that could not be delivered, such as "the alert i-7k2m"."""
    sink: str = "slack"
    """The name of its sink."""
    place: str = ""
    """Its channel by the current settings, where pending messages are moved to. Empty: they aren't moved."""
    retry_refused: bool = True
    """Whether a message that its place refuses is retried for a day: somebody may invite the bot to a channel."""
    refused: Callable[[OutboxMessage], Awaitable[bool]] = _no
    """Called when a person has to fix something first; returns whether it enqueued a message about that."""
    arrived: Callable[[OutboxMessage], Awaitable[None]] = _nothing
    """Called when a message is delivered for the first time; its ``error`` says why earlier attempts failed."""
    sending: Callable[[OutboxMessage, Any], AbstractAsyncContextManager[None]] = _just
    """Entered around each attempt, with the content: for state that must be saved before or after it."""
