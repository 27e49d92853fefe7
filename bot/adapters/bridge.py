"""`bot.ports.Bridge`: the health-bridge's webhook, which answers 200 also when it failed."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.domain.outside import Outside
from bot.errors import AgentpodError, NotAllowed, Permanent, TimedOut, Transient, Uncertain

if TYPE_CHECKING:
    import httpx


class HealthBridge:
    """One health-bridge. ``url`` is its webhook."""

    def __init__(self, url: str, token: str, *, timeout: float = 8.0, outside: Outside | None = None) -> None:
        """``timeout`` in seconds; ``outside`` cleans what is sent. Nothing is sent yet."""
        self._outside = outside or Outside()
        self._url, self._token, self._timeout = url, token, timeout
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def send(self, alert: Mapping[str, Any]) -> None:
        """See the port: `Transient` also for a 200 that says that it failed."""
        if "httpx" not in sys.modules:
            await asyncio.to_thread(importlib.import_module, "httpx")
        import httpx

        if self._client is None:
            local = urlsplit(self._url).hostname in ("localhost", "127.0.0.1", "::1")
            self._client = httpx.AsyncClient(timeout=self._timeout, trust_env=not local)
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._client.post(self._url, json=self._outside.of(alert), headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL, ValueError) as error:
            # A ValueError's text may quote a header, and with it the token: only its kind is told.
            raise Transient(f"The health-bridge can't be reached ({type(error).__name__}).") from None
        except (httpx.TimeoutException, TimeoutError) as error:
            raise TimedOut(f"The health-bridge gave no answer in {self._timeout:g} s.") from error
        except (httpx.HTTPError, OSError) as error:
            raise Uncertain(f"The health-bridge gave no whole answer ({type(error).__name__}).") from None
        refused = refusal(response.status_code, response.headers.get("Retry-After", ""))
        if refused is not None:
            raise refused
        _believed(response)


def refusal(status: int, retry_after: str) -> AgentpodError | None:
    """The error for an HTTP status; None for 2xx."""
    if 200 <= status < 300:
        return None
    text = f"The health-bridge answered HTTP {status}."
    if status in (401, 403):
        return NotAllowed(text, remedy="Set bridge.token to the token that it expects.")
    if status in (404, 405, 410):
        return Permanent(text, remedy="Check bridge.url: it must be the webhook's, ending in /webhook.")
    if status == 429 or status >= 500:
        kind = Transient if status in (429, 503) else Uncertain
        return kind(text, retry_after=float(retry_after) if retry_after.isdecimal() else None)
    return Permanent(text, remedy="It does not understand what it is sent: check its version.")


def _believed(response: httpx.Response) -> None:
    """It answers 200 with ``{"processed": n, "total": m}`` even when it failed: only n = m is a success."""
    try:
        said = response.json()
        processed, total = int(said["processed"]), int(said["total"])
    except (ValueError, KeyError, TypeError):
        raise Uncertain("The health-bridge answered 200 without saying what it processed.") from None
    if processed < total:
        raise Transient(f"The health-bridge answered 200, but processed {processed} of {total} alerts.")
