"""Sends JSON to a server that the settings name, with POST, and translates what comes of it into `bot.errors`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.adapters.transport.clients import Answered, BadAddress, Client, CutOff, NotSent
from bot.domain.core import retry_after
from bot.errors import AgentpodError, NotAllowed, Permanent, TimedOut, Transient, Uncertain


@dataclass(frozen=True)
class Receiver:
    """A server in the words of its errors."""

    name: str
    """At the beginning of a sentence: "The health-bridge"."""
    host: str
    """What a proxy would have to let through: "its host"."""
    url: str
    """The setting with its address."""
    token: str
    """The setting with its bearer token."""
    missing: str
    """What to do where nothing takes a POST at the address."""
    refused: str
    """What to do where it refuses what it is sent."""


async def post(
    client: Client, to: Receiver, limit: int, body: Any, token: str, headers: Mapping[str, str] | None = None
) -> Answered:
    """Send ``body`` as JSON and return the successful response, of at most ``limit`` bytes.

    ``token`` is sent as a bearer token, unless it is empty. Raises `bot.errors`; `Uncertain` where it may have
    arrived.
    """
    given = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        answer = await client.send("POST", client.url, limit, json=body, headers=given)
    except BadAddress as error:
        raise Permanent(f"{to.url} is not an address.", remedy=f"Set {to.url}.") from error
    except NotSent as error:
        raise Transient(f"{to.name} can't be reached: {error}.") from None
    except TimeoutError as error:
        route = client.route
        raise TimedOut(
            f"{to.name} gave no answer in {client.timeout:g} s{route.through}.",
            remedy=route.remedy(to.host).strip() or None,
        ) from error
    except CutOff as error:
        raise Uncertain(f"{to.name} gave no whole answer: {error}.") from None
    if (refused := refusal(to, answer.status, answer.headers.get("Retry-After", ""))) is not None:
        raise refused
    return answer


def refusal(to: Receiver, status: int, wish: str) -> AgentpodError | None:
    """Return the error for an HTTP status; None for 2xx. ``wish`` is the response's ``Retry-After``."""
    if 200 <= status < 300:
        return None
    text = f"{to.name} answered HTTP {status}."
    if status in (401, 403):
        return NotAllowed(text, remedy=f"Set {to.token} to the token that it expects.")
    if status in (404, 405, 410):
        return Permanent(text, remedy=to.missing)
    if status == 429 or status >= 500:
        kind, now = Transient if status in (429, 503) else Uncertain, datetime.now(UTC)
        return kind(text + retry_after.said(wish, now), retry_after=retry_after.seconds(wish, now))
    return Permanent(text, remedy=to.refused)
