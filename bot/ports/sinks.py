"""Where messages go, and how a kind of such places is registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from bot.domain.core.outside import Outside
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.settings.model import Settings

T_co = TypeVar("T_co", covariant=True)


class Sink(Protocol):
    """Takes messages. Raises `bot.errors` only."""

    @property
    def name(self) -> str:
        """How kinds of messages name it."""

    async def deliver(self, message: OutboxMessage, content: Any) -> MessageRef:
        """Bring what a kind's renderer made to ``message.place``, over what is there; says where it is then.

        `Permanent` where somebody has to mend something first, with the remedy; `TimedOut` or `Uncertain` where
        nobody knows whether it was taken; `NotFound`, and nothing sent, where the message above
        (``message.thread``) is gone.
        """

    async def close(self) -> None:
        """Close its connections."""


@dataclass(frozen=True)
class SinkType(Generic[T_co]):
    """A kind of place that the settings may name, in a folder of its own in `bot/adapters/sinks/`."""

    name: str
    called: str
    """What people call it, in the list of connections."""
    address: Callable[[Settings], str]
    """Where the settings have it; empty for nowhere."""
    make: Callable[[Settings, Outside], T_co]
    """Build one for settings that have an address. Connects to nothing; `Outside` cleans what is sent."""
