"""Delivery of payloads to the app: what Socket Mode and HTTP have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from sandbox.slack.model import Json

Kind = Literal["slash_commands", "interactive", "events_api"]

TIMEOUT = "operation_timeout"
FAILED = "dispatch_failed"


@dataclass(slots=True, frozen=True)
class Ack:
    """How the app answered: ``error`` is None if it did in time; ``seconds`` is how long that took."""

    error: str | None
    seconds: float
    payload: Json | None = None

    @property
    def ok(self) -> bool:
        """Whether it was acknowledged."""
        return self.error is None


class Delivery(Protocol):
    """A transport that delivers payloads to the app."""

    @property
    def connections(self) -> int:
        """How many connections are open (over HTTP: 1)."""
        ...

    async def deliver(self, kind: Kind, payload: Json, *, retry: int = 0, reason: str = "") -> Ack:
        """Deliver once and wait for the acknowledgement; the app's failures are returned, never raised."""
        ...
