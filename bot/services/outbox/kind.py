"""A kind of message: what it says, where it goes, and what people call one that did not get there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage


async def _no(_: OutboxMessage) -> bool:
    return False


async def _nothing(_: OutboxMessage) -> None:
    """Nobody has to be told."""


@asynccontextmanager
async def _just(_: OutboxMessage, __: Any) -> AsyncIterator[None]:
    yield


@dataclass(frozen=True)
class MessageKind:
    """One kind. A feature lists those it has, and `bot/wiring/outbox.py` registers them: nobody else knows them.

    All functions raise as the ledger does.
    """

    name: str
    """The first part of its messages' keys: kept in the ledger, so it stays what it is."""
    render: Callable[[OutboxMessage], Awaitable[Any]]
    """What it says now, from the ledger as it is when it is sent; None where it need not be said any more.

    A `Reply`, or whatever its sink says that it takes.
    """
    describe: Callable[[MessageKey], Awaitable[str]]
    """What people call one that could not be delivered, such as "the alert i-7k2m"."""
    sink: str = "slack"
    """The name of where it goes."""
    place: str = ""
    """Where in the sink it goes as the settings have it now: pending ones are moved there. Empty: they stay."""
    refused: Callable[[OutboxMessage], Awaitable[bool]] = _no
    """Told that somebody has to mend something first; says whether it enqueued another message for that."""
    arrived: Callable[[OutboxMessage], Awaitable[None]] = _nothing
    """Told that it was sent after earlier attempts had failed."""
    sending: Callable[[OutboxMessage, Any], AbstractAsyncContextManager[None]] = _just
    """Entered around each attempt, with what is sent: for what must be kept before and after it."""
