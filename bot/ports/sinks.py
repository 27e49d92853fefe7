"""Sinks, which deliver messages, and how a type of sink is registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.outside import Outside
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.settings.model import Settings

T_co = TypeVar("T_co", covariant=True)


class Sink(Protocol):
    """Delivers messages to one kind of destination. Raises `bot.errors` only."""

    @property
    def name(self) -> str:
        """The name by which message kinds refer to it."""

    async def deliver(self, message: OutboxMessage, content: Any) -> MessageRef:
        """Send the content to ``message.place``, replacing the message if it is posted; returns where it is.

        Raises `Permanent`, with the remedy, where somebody has to fix something first; `TimedOut` or `Uncertain`
        where it isn't known whether it was sent; `NotFound`, with nothing sent, where the thread's first message
        (``message.thread``) is gone.
        """

    async def close(self) -> None:
        """Close the sink's connections."""


@dataclass(frozen=True)
class SinkType(Generic[T_co]):
    """A type of sink that can be switched on in the settings; each has a folder in `bot/adapters/sinks/`."""

    name: str
    called: str
    """Its name for people, in the list of connections."""
    address: Callable[[Settings], str]
    """Its address in the settings, a URL or a path; empty: switched off."""
    make: Callable[[Settings, Outside], T_co]
    """Build the sink for settings that have an address. Makes no connection; `Outside` redacts what is sent."""
    takes_messages: bool = True
    """False for a server that the bot only calls."""
    on_network: bool = True
    """False where the address is a path on this machine, to which there is no route."""
