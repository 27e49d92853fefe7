"""httpx clients for one server each, with the proxy chosen by the environment's proxy variables.

httpx is slow to import and certificate authorities are slow to load: both happen in a thread, at first use.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.adapters.transport import bodies
from bot.adapters.transport.bodies import BodyRefused
from bot.domain.core.proxies import Route, choose
from bot.domain.core.words import lower_first

if TYPE_CHECKING:
    import httpx

START = 4 * 1024
"""Bytes read of an error response."""

_PROXY_REFUSED = 407
"""A proxy's status for missing or wrong credentials."""


@dataclass(frozen=True)
class Answered:
    """A response, with the whole body of a success or the beginning of any other."""

    status: int
    headers: Mapping[str, str]
    body: bytes | bytearray


class BadAddress(Exception):
    """The URL is no http or https address."""


class NotSent(Exception):
    """Nothing was sent. The text says why: "connection refused", "the proxy … did not connect: HTTP 407"."""


class CutOff(Exception):
    """The request was sent, but no complete response came. The text says why."""


class Client:
    """Calls one server, with a deadline for each call."""

    def __init__(self, url: str, timeout: float, *, auth: tuple[str, str] | None = None) -> None:
        """``url`` decides the proxy; ``timeout`` is each call's deadline in seconds. Does not connect yet."""
        self.url, self.timeout, self._auth = url, timeout, auth
        self._client: httpx.AsyncClient | None = None
        self._client_lock = asyncio.Lock()

    @property
    def route(self) -> Route:
        """The route to the server: direct or through a proxy. Raises Permanent for an invalid proxy."""
        return choose(self.url, os.environ)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def send(self, method: str, url: str, limit: int, **request: Any) -> Answered:
        """Send a request and return the response, with a body of at most ``limit`` bytes.

        Raises TimeoutError, BadAddress, NotSent or CutOff, and Permanent for an invalid proxy.
        """
        client, opened = await self._get_client(), _Opened()
        try:
            async with (
                asyncio.timeout(self.timeout),
                client.stream(method, url, extensions={"trace": opened.note}, **request) as response,
            ):
                answer = await _read(response, limit)
        except BaseException as error:  # callers must not need to know httpx's exceptions
            await opened.close()
            if isinstance(error, TimeoutError) or not isinstance(error, Exception):
                raise
            raise _translated(error, self.route) from error
        if answer.status == _PROXY_REFUSED and self.route.proxy is not None:
            raise NotSent(f"the proxy {self.route.proxy} did not pass it on: HTTP {_PROXY_REFUSED}")
        return answer

    async def _get_client(self) -> httpx.AsyncClient:
        route = self.route
        async with self._client_lock:
            if self._client is None:
                try:
                    self._client = await asyncio.to_thread(self._make, route)
                except (ImportError, OSError, ValueError) as error:
                    raise NotSent(f"the connection could not be prepared ({type(error).__name__})") from error
        return self._client

    def _make(self, route: Route) -> httpx.AsyncClient:
        import httpx

        proxy = None if route.proxy is None else httpx.Proxy(route.proxy.url)
        trusted = trust(self.url, *(() if route.proxy is None else (route.proxy.url,)))
        headers = {"Accept-Encoding": bodies.ACCEPT}
        return httpx.AsyncClient(
            auth=self._auth, timeout=self.timeout, trust_env=False, proxy=proxy, verify=trusted, headers=headers
        )


def trust(*urls: str) -> ssl.SSLContext:
    """Return the trusted certificate authorities, which take 2 MiB; a context without any for plain HTTP alone."""
    import httpx

    if not any(url.lower().startswith("https:") for url in urls):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # trust_env=False would ignore SSL_CERT_FILE, and this context honours it.
    return httpx.create_ssl_context()


class _Opened:
    """The SOCKS connections of a call: httpcore leaves them open if the proxy refuses."""

    def __init__(self) -> None:
        """Start without connections."""
        self._streams: list[Any] = []

    async def note(self, event: str, info: Mapping[str, Any]) -> None:
        """Handle a trace event of httpcore."""
        if event == "socks.connect_tcp.complete":
            self._streams.append(info["return_value"])

    async def close(self) -> None:
        """Close the connections."""
        for stream in self._streams:
            await stream.aclose()


async def _read(response: httpx.Response, limit: int) -> Answered:
    good = 200 <= response.status_code < 300
    encoding = response.headers.get("Content-Encoding", "")
    try:
        body = await bodies.collect(response.aiter_raw(), encoding, limit if good else START, cut=not good)
    except BodyRefused:
        if good:
            raise
        body = bytearray()
    return Answered(response.status_code, response.headers, body)


def _translated(error: Exception, route: Route) -> Exception:
    import httpx

    if isinstance(error, httpx.TimeoutException):
        return TimeoutError()
    if isinstance(error, httpx.ProxyError | httpx.ConnectError):
        return NotSent(_unconnected(error, route))
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return BadAddress()
    if isinstance(error, httpx.LocalProtocolError | ValueError):
        # The error's text may quote a header with a credential, so only its type is shown.
        return NotSent(f"the request could not be made ({type(error).__name__})")
    if isinstance(error, BodyRefused):
        return CutOff(f"its answer was not read to the end: {error}")
    return CutOff("it hung up before its answer was complete")


def _unconnected(error: Exception, route: Route) -> str:
    import httpx

    reason = str(error)
    if isinstance(error, httpx.ProxyError):
        code = re.match(r"(\d{3})\b", reason)
        said = f"HTTP {code[1]}" if code else lower_first(reason.rstrip("."))[:120]
        return f"the proxy {route.proxy} did not connect: {said}"
    if route.proxy is not None and "SSL" not in reason:
        return f"the proxy {route.proxy}: {connect_reason(reason)}"
    return connect_reason(reason)


def connect_reason(reason: str) -> str:
    """Return why there is no connection, in words, from httpx's message."""
    if "refused" in reason or "All connection attempts failed" in reason:
        return "connection refused"
    if any(words in reason for words in ("Name or service", "nodename", "name resolution", "No address")):
        return "its name does not resolve"
    return reason.rstrip(".") or "no connection"
