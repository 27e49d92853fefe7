"""Sends anchors to a URL with POST, each as a JSON object.

One may be sent twice, where no answer came: its ``Idempotency-Key`` is the same then.
"""

from __future__ import annotations

from datetime import UTC, datetime

from bot.adapters.transport.clients import START, BadAddress, Client, CutOff, NotSent
from bot.domain.core import retry_after
from bot.domain.core.anchors import Anchor
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.errors import AgentpodError, NotAllowed, Permanent, TimedOut, Transient, Uncertain


class AnchorUrl:
    """A URL as a sink of anchors. The token is sent as a bearer token, unless it is empty."""

    name = "anchor_url"

    def __init__(self, url: str, token: str, *, timeout: float = 8.0) -> None:
        """``timeout`` in seconds. Does not connect yet."""
        self._url, self._token = url, token
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
        headers = {"Idempotency-Key": key}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            answer = await self._client.send("POST", self._url, START, json=anchor.as_json(), headers=headers)
        except BadAddress as error:
            raise Permanent("ledger.anchor.url is not an address.", remedy="Set ledger.anchor.url.") from error
        except NotSent as error:
            raise Transient(f"The anchors' URL can't be reached: {error}.") from None
        except TimeoutError as error:
            route, seconds = self._client.route, self._client.timeout
            raise TimedOut(
                f"The anchors' URL gave no answer in {seconds:g} s{route.through}.",
                remedy=route.remedy("its host").strip() or None,
            ) from error
        except CutOff as error:
            raise Uncertain(f"The anchors' URL gave no whole answer: {error}.") from None
        refused = refusal(answer.status, answer.headers.get("Retry-After", ""))
        if refused is not None:
            raise refused


def refusal(status: int, wish: str) -> AgentpodError | None:
    """Return the error for an HTTP status; None for 2xx. ``wish`` is the response's ``Retry-After``."""
    if 200 <= status < 300:
        return None
    text = f"The anchors' URL answered HTTP {status}."
    if status in (401, 403):
        return NotAllowed(text, remedy="Set ledger.anchor.token to the token that it expects.")
    if status == 429 or status >= 500:
        kind, now = Transient if status in (429, 503) else Uncertain, datetime.now(UTC)
        return kind(text + retry_after.said(wish, now), retry_after=retry_after.seconds(wish, now))
    return Permanent(text, remedy="Check ledger.anchor.url: it must take POST requests with JSON.")
