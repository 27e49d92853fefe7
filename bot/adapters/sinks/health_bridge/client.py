"""The health-bridge's webhook, which answers 200 even when it failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.adapters.transport.clients import Answered, BadAddress, Client, CutOff, NotSent
from bot.domain.core import retry_after
from bot.domain.core.outside import Outside
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.errors import AgentpodError, NotAllowed, Permanent, TimedOut, Transient, Uncertain

MAX_BYTES = 64 * 1024
"""Maximum bytes of a response, which says how many alerts were processed."""


class HealthBridge:
    """The health-bridge as a sink. ``url`` is its webhook."""

    name = "health_bridge"

    def __init__(self, url: str, token: str, *, timeout: float = 8.0, outside: Outside | None = None) -> None:
        """``timeout`` in seconds; ``outside`` redacts what is sent. Does not connect yet."""
        self._outside = outside or Outside()
        self._url, self._token = url, token
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
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            answer = await self._client.send(
                "POST", self._url, MAX_BYTES, json=self._outside.of(alert), headers=headers
            )
        except BadAddress as error:
            raise Transient("The health-bridge can't be reached: bridge.url is not an address.") from error
        except NotSent as error:
            raise Transient(f"The health-bridge can't be reached: {error}.") from None
        except TimeoutError as error:
            route, seconds = self._client.route, self._client.timeout
            raise TimedOut(
                f"The health-bridge gave no answer in {seconds:g} s{route.through}.",
                remedy=route.remedy("the health-bridge").strip() or None,
            ) from error
        except CutOff as error:
            raise Uncertain(f"The health-bridge gave no whole answer: {error}.") from None
        refused = refusal(answer.status, answer.headers.get("Retry-After", ""))
        if refused is not None:
            raise refused
        _check_processed(answer)


def refusal(status: int, wish: str) -> AgentpodError | None:
    """Return the error for an HTTP status; None for 2xx. ``wish`` is the response's ``Retry-After``."""
    if 200 <= status < 300:
        return None
    text = f"The health-bridge answered HTTP {status}."
    if status in (401, 403):
        return NotAllowed(text, remedy="Set bridge.token to the token that it expects.")
    if status in (404, 405, 410):
        return Permanent(text, remedy="Check bridge.url: it must be the webhook's, ending in /webhook.")
    if status == 429 or status >= 500:
        kind, now = Transient if status in (429, 503) else Uncertain, datetime.now(UTC)
        return kind(text + retry_after.said(wish, now), retry_after=retry_after.seconds(wish, now))
    return Permanent(text, remedy="It does not understand what it is sent: check its version.")


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
