"""The health-bridge's webhook, which answers 200 even when it failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bot.adapters.transport.clients import Answered, Client
from bot.adapters.transport.post import Receiver, post
from bot.domain.core.outside import Outside
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.errors import Transient, Uncertain

MAX_BYTES = 64 * 1024
"""Maximum bytes of a response, which says how many alerts were processed."""
RECEIVER = Receiver(
    "The health-bridge",
    "the health-bridge",
    "bridge.url",
    "bridge.token",
    "Check bridge.url: it must be the webhook's, ending in /webhook.",
    "It does not understand what it is sent: check its version.",
)


class HealthBridge:
    """The health-bridge as a sink. ``url`` is its webhook."""

    name = "health_bridge"

    def __init__(self, url: str, token: str, *, timeout: float = 8.0, outside: Outside | None = None) -> None:
        """``timeout`` in seconds; ``outside`` redacts what is sent. Does not connect yet."""
        self._outside = outside or Outside()
        self._token = token
        self._client = Client(url, timeout)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def deliver(self, message: OutboxMessage, content: Mapping[str, Any]) -> MessageRef:
        """See `bot.ports.sinks.Sink`. ``content`` is the body of an Alertmanager webhook."""
        await self.send(content)
        return MessageRef(message.key.kind, message.key.rest)

    async def send(self, alert: Mapping[str, Any]) -> None:
        """Send one alert. Raises `bot.errors`; Transient also for a 200 that reports a failure."""
        answer = await post(self._client, RECEIVER, MAX_BYTES, self._outside.of(alert), self._token)
        _check_processed(answer)


def _check_processed(answer: Answered) -> None:
    """Check a 200 response, ``{"processed": n, "total": m}``: it is a success only if n = m.

    Raises Transient if fewer were processed, Uncertain if the response does not say.
    """
    try:
        said = json.loads(answer.body)
        processed, total = int(said["processed"]), int(said["total"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise Uncertain("The health-bridge answered 200 without saying what it processed.") from None
    if processed < total:
        raise Transient(f"The health-bridge answered 200, but processed {processed} of {total} alerts.")
