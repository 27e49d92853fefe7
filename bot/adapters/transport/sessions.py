"""aiohttp sessions that choose the proxy of each request by the environment's proxy variables.

The SDKs that use them read only some of these variables, each in its own way: the proxies they set are overridden.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from multidict import CIMultiDict
from yarl import URL

from bot.adapters.transport import bodies
from bot.domain.core.proxies import Proxy, Route, choose

if TYPE_CHECKING:
    from aiohttp.tracing import Trace

Choose = Callable[[str], Route]
_AUTHORIZATION = "Proxy-Authorization"


def by_environment(url: str) -> Route:
    """Return the route to ``url`` by this process's environment."""
    return choose(url, os.environ)


class ProxyFailed(aiohttp.ClientConnectorError):
    """The proxy did not connect, so nothing was sent. Text: "the proxy http://p:1 (HTTPS_PROXY) refused …"."""

    def __init__(self, key: Any, error: OSError, proxy: Proxy, why: str) -> None:
        """``key`` and ``error`` are aiohttp's; ``why`` completes a sentence about the proxy."""
        super().__init__(key, error)
        self.proxy, self.why = proxy, why

    def __str__(self) -> str:
        """The reason, without the proxy's user and password."""
        return f"the proxy {self.proxy} {self.why}"


class Connector(aiohttp.TCPConnector):
    """Connects each request by the route to its address."""

    def __init__(self, choose: Choose, **options: Any) -> None:
        """``options`` are those of aiohttp's connector."""
        super().__init__(**options)
        self._choose = choose
        self._transports: WeakSet[asyncio.Transport] = WeakSet()

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Close all connections, also those that are closing: a silent server would keep them open for 30 s.

        aiohttp forgets a connection whose response was not read to its end, while TLS's closing handshake waits.
        """
        await super().close(abort_ssl=abort_ssl)
        for transport in self._transports:
            transport.abort()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> aiohttp.connector.Connection:
        """Return a connection from the pool, or a new one. Raises ProxyFailed besides aiohttp's errors."""
        proxy = self._choose(str(req.url)).proxy
        _send_through(req, proxy if proxy is not None and not proxy.socks else None)
        try:
            return await super().connect(req, traces, timeout)
        except (
            aiohttp.ClientProxyConnectionError,
            aiohttp.ClientHttpProxyError,
            aiohttp.ClientConnectorDNSError,
        ) as e:
            if proxy is None or isinstance(e, ProxyFailed) or _is_other_host(e, proxy):
                raise
            raise ProxyFailed(req.connection_key, _as_system_error(e), proxy, _why(e)) from e

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> ResponseHandler:
        proxy = self._choose(str(req.url)).proxy
        if proxy is None or not proxy.socks:
            protocol = await super()._create_connection(req, traces, timeout)
        else:
            protocol = await self._create_socks_connection(req, timeout, proxy)
        if protocol.transport is not None:
            self._transports.add(protocol.transport)
        return protocol

    async def _create_socks_connection(
        self, req: aiohttp.ClientRequest, limits: aiohttp.ClientTimeout, proxy: Proxy
    ) -> ResponseHandler:
        tls = self._get_ssl_context(req)
        name = (req.server_hostname or req.host or "").rstrip(".") if tls else None
        sock = await _socks(req, proxy)
        try:
            _, protocol = await self._wrap_existing_connection(
                self._factory, timeout=limits, ssl=tls, sock=sock, server_hostname=name, req=req
            )
        except BaseException:
            sock.close()
            raise
        return protocol


async def _socks(req: aiohttp.ClientRequest, proxy: Proxy) -> Any:
    """Return a socket that a SOCKS proxy has connected. The proxy resolves the host name."""
    from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError, ProxyType
    from python_socks.async_.asyncio import Proxy as Socks

    way = Socks(ProxyType.SOCKS5, proxy.host, proxy.port, proxy.user or None, proxy.password or None, rdns=True)
    try:
        return await way.connect(str(req.host), int(req.port or 0), timeout=3600)  # the caller's is shorter
    except ProxyConnectionError as error:
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else OSError(*error.args)
        raise ProxyFailed(req.connection_key, cause, proxy, _refused(cause)) from error
    except (ProxyError, ProxyTimeoutError) as error:
        why = f"did not connect: {str(error)[:120].rstrip('.')}"
        raise ProxyFailed(req.connection_key, OSError(0, why), proxy, why) from error


def _send_through(req: aiohttp.ClientRequest, proxy: Proxy | None) -> None:
    """Set a request's HTTP proxy, or remove it."""
    if proxy is None:
        req.update_proxy(None, None, None)
        return
    headers: CIMultiDict[str] = CIMultiDict()
    if proxy.user or proxy.password:
        # A plain HTTP request is not tunnelled: its own headers carry the proxy's credentials.
        (headers if req.is_ssl() else req.headers)[_AUTHORIZATION] = aiohttp.encode_basic_auth(
            proxy.user, proxy.password, "utf-8"
        )
    req.update_proxy(URL(proxy.shown), None, headers)


def _is_other_host(error: Exception, proxy: Proxy) -> bool:
    """Whether the host name that does not resolve is another one than the proxy's."""
    return isinstance(error, aiohttp.ClientConnectorDNSError) and error.host != proxy.host


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        wants = " (it wants a user and a password, or others)" if error.status == 407 else ""
        return f"did not connect: HTTP {error.status}{wants}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "can't be found: its name does not resolve"
    return _refused(_as_system_error(error))


def _as_system_error(error: Exception) -> OSError:
    found = getattr(error, "os_error", None)
    return found if isinstance(found, OSError) else OSError(0, str(error)[:120])


def _refused(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "refused the connection"
    return f"can't be reached: {(error.strerror or type(error).__name__).lower()}"


def limited(limit: int) -> type[aiohttp.ClientResponse]:
    """Return a response class whose bodies have at most ``limit`` bytes, also after decompression."""

    class Limited(aiohttp.ClientResponse):
        async def read(self) -> bytes:
            """Read the whole body. Raises BodyRefused for one that is too large."""
            if self._body is None:
                self._body = await read(self, limit)
            return self._body

        def get_encoding(self) -> str:
            """Ignore the server's charset: decoding some of them takes minutes."""
            return "utf-8"

    return Limited


async def read(response: aiohttp.ClientResponse, limit: int, *, cut: bool = False) -> bytes:
    """Read a body of at most ``limit`` bytes. ``cut`` truncates a longer one; else it raises BodyRefused."""
    try:
        encoding = response.headers.get("Content-Encoding", "")
        content = await bodies.collect(response.content.iter_any(), encoding, limit, cut=cut)
    except BaseException:
        response.close()
        raise
    if response.content.at_eof():
        response.release()
    else:  # don't wait for the rest
        response.close()
    return bytes(content)


def session(
    limit: int, *, choose: Choose = by_environment, pool: int = 100, **options: Any
) -> aiohttp.ClientSession:
    """Open a session; needs a running event loop.

    ``limit`` is the maximum bytes of a body that is read whole, ``pool`` the maximum number of connections.
    ``tls`` is their TLS context (default: aiohttp's); the other options are those of aiohttp's session.
    """
    tls = options.pop("tls", None)
    connector = Connector(choose, limit=pool, **({"ssl": tls} if tls is not None else {}))
    headers = {"Accept-Encoding": bodies.ACCEPT}
    return aiohttp.ClientSession(
        connector=connector,
        response_class=limited(limit),
        headers=headers,
        auto_decompress=False,
        trust_env=False,
        **options,
    )


def fixed(route: Route) -> Choose:
    """Return a chooser that gives every address the same route."""
    return lambda _: route
