"""`bot.ports.DeadMan`: a URL that somebody else watches, such as a Healthchecks or Dead Man's Snitch one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.errors import Permanent, TimedOut, Transient

if TYPE_CHECKING:
    import httpx


class DeadManUrl:
    """One URL. It is a secret: no error holds it."""

    def __init__(self, url: str, *, timeout: float = 8.0) -> None:
        """``timeout`` in seconds."""
        self._url, self._timeout = url, timeout

    async def ping(self) -> None:
        """GET it. Raises `bot.errors`."""
        client = await asyncio.to_thread(self._client)  # it reads all certificate authorities
        import httpx

        try:
            async with asyncio.timeout(self._timeout), client:
                response = await client.get(self._url)
        except (httpx.TimeoutException, TimeoutError):
            raise TimedOut(f"The dead-man URL gave no answer in {self._timeout:g} s.") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise Transient(f"The dead-man URL can't be reached ({type(error).__name__}).") from None
        if response.status_code >= 400:
            kind = Transient if response.status_code >= 500 or response.status_code == 429 else Permanent
            raise kind(
                f"The dead-man URL answered HTTP {response.status_code}.", remedy="Check heartbeat.dead_man_url."
            )

    def _client(self) -> httpx.AsyncClient:
        import httpx

        local = urlsplit(self._url).hostname in ("localhost", "127.0.0.1", "::1")
        return httpx.AsyncClient(timeout=self._timeout, trust_env=not local)
