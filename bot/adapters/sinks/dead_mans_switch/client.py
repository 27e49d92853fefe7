"""The `DeadMan` port: pings a URL of a monitoring service such as Healthchecks or Dead Man's Snitch."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.adapters.transport.clients import START, BadAddress, Client, CutOff, NotSent
from bot.domain.core import retry_after
from bot.errors import Permanent, TimedOut, Transient


class DeadMansSwitch:
    """Pings one URL. The URL is a secret: no error contains it."""

    name = "dead_mans_switch"

    def __init__(self, url: str, *, timeout: float = 8.0) -> None:
        """``timeout`` in seconds."""
        self._url, self._timeout = url, timeout

    async def ping(self) -> None:
        """GET the URL. Raises `bot.errors`."""
        client = Client(self._url, self._timeout)
        try:
            answer = await client.send("GET", self._url, START)
        except TimeoutError:
            route = client.route
            raise TimedOut(
                f"The dead-man URL gave no answer in {self._timeout:g} s{route.through}.",
                remedy=route.remedy("its host").strip() or None,
            ) from None
        except BadAddress:
            raise Permanent("The dead-man URL is not an address.", remedy="Set heartbeat.dead_man_url.") from None
        except (NotSent, CutOff) as error:
            raise Transient(f"The dead-man URL can't be reached: {error}.") from None
        finally:
            await client.close()
        if answer.status >= 400:
            wish, now = answer.headers.get("Retry-After"), datetime.now(UTC)
            kind = Transient if answer.status >= 500 or answer.status == 429 else Permanent
            raise kind(
                f"The dead-man URL answered HTTP {answer.status}.{retry_after.said(wish, now)}",
                remedy="Check heartbeat.dead_man_url.",
            )
