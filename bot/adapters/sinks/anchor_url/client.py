"""Sends anchors to a URL with POST, each as a JSON object.

One may be sent twice, where no answer came: its ``Idempotency-Key`` is the same then.
"""

from __future__ import annotations

from bot.adapters.transport.clients import START, Client
from bot.adapters.transport.post import Receiver, post
from bot.domain.core.anchors import Anchor
from bot.domain.outbox.message import MessageRef, OutboxMessage

_TAKES_POST = "Check ledger.anchor.url: it must take POST requests with JSON."
RECEIVER = Receiver(
    "The anchors' URL", "its host", "ledger.anchor.url", "ledger.anchor.token", _TAKES_POST, _TAKES_POST
)


class AnchorUrl:
    """A URL as a sink of anchors. The token is sent as a bearer token, unless it is empty."""

    name = "anchor_url"

    def __init__(self, url: str, token: str, *, timeout: float = 8.0) -> None:
        """``timeout`` in seconds. Does not connect yet."""
        self._token = token
        self._client = Client(url, timeout)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def deliver(self, message: OutboxMessage, content: Anchor) -> MessageRef:
        """See `bot.ports.sinks.Sink`."""
        await self.send(message.key, content)
        return MessageRef(message.key.kind, message.key.rest)

    async def send(self, key: str, anchor: Anchor) -> None:
        """Send one anchor. Raises `bot.errors`."""
        await post(self._client, RECEIVER, START, anchor.as_json(), self._token, {"Idempotency-Key": key})
