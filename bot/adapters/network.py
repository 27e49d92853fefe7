"""The `Network` port: probes the pod over the network, as its clients would. Every call has a deadline."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from bot.domain.core.workload import HttpAnswer
from bot.errors import AgentpodError, Permanent, TimedOut, Transient

if TYPE_CHECKING:
    import httpx

_NEXT_LINE_SECONDS = 0.3
"""How long to wait for SSH's line after another line."""
_BANNER_LIMIT = 4096
"""Maximum bytes read for the banner. SSH's own line has at most 255 (RFC 4253, 4.2)."""


class OutsideNetwork:
    """Probes by TCP with asyncio, and by HTTP with httpx, which is imported at the first request."""

    def __init__(self, timeout: float = 3.0) -> None:
        """``timeout`` is each call's deadline in seconds."""
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Close the HTTP client."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def connect(self, host: str, port: int) -> None:
        """Connect by TCP and close the connection. Raises Transient or TimedOut."""
        try:
            async with asyncio.timeout(self._timeout):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, ValueError) as error:
            raise explain(error, host, self._timeout) from error
        await _hang_up(writer)

    async def greeting(self, host: str, port: int, seconds: float) -> str:
        """Connect and return the first line that the server sends within ``seconds``, of whatever protocol.

        Empty if it sends none, or hangs up. Raises Transient or TimedOut where no connection is made.
        """
        try:
            async with asyncio.timeout(self._timeout):
                reader, writer = await asyncio.open_connection(host, port, limit=_BANNER_LIMIT)
        except (OSError, ValueError) as error:
            raise explain(error, host, self._timeout) from error
        try:
            return _printable(await _first_line(reader, seconds))
        finally:
            writer.transport.abort()

    async def banner(self, host: str, port: int) -> str:
        """Connect and return SSH's identification, the first line that begins with ``SSH-``.

        A server may send other lines before it (RFC 4253, 4.2). Raises Permanent for a server that sends something
        else, Transient or TimedOut for one that sends nothing.
        """
        try:
            async with asyncio.timeout(self._timeout):
                reader, writer = await asyncio.open_connection(host, port, limit=_BANNER_LIMIT)
                try:
                    return await _identification(reader)
                finally:
                    writer.transport.abort()
        except AgentpodError:
            raise
        except TimeoutError as error:
            raise TimedOut(f"no answer in {self._timeout:g} s") from error
        except (OSError, ValueError) as error:
            raise explain(error, host, self._timeout) from error

    async def http_status(self, url: str) -> int:
        """GET a URL and return the status, without following redirects or reading the body.

        Raises Transient, TimedOut or Permanent.
        """
        import httpx

        try:
            async with asyncio.timeout(self._timeout), self._http().stream("GET", url) as response:
                return response.status_code
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise _explain_http(error, url, self._timeout) from error

    async def get(self, url: str, *, limit: int) -> HttpAnswer:
        """GET a URL, without following redirects; cut a body at ``limit`` bytes. Raises as `http_status` does."""
        import httpx

        body = bytearray()
        try:
            headers = {"Accept-Encoding": "identity"}  # a small body can't become a large one
            async with (
                asyncio.timeout(self._timeout),
                self._http().stream("GET", url, headers=headers) as response,
            ):
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > limit:
                        break
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise _explain_http(error, url, self._timeout) from error
        return HttpAnswer(response.status_code, body[:limit].decode("utf-8", "replace"), len(body) > limit)

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx

            # The probe connects as a neighbouring pod would: no proxy and no credentials from the environment.
            self._client = httpx.AsyncClient(follow_redirects=False, timeout=self._timeout, trust_env=False)
        return self._client


async def _first_line(reader: asyncio.StreamReader, seconds: float) -> bytes:
    """The first line that is not empty, or what there is of it in time."""
    heard = b""
    with suppress(OSError):  # a server that refuses to go on may say why before
        try:
            async with asyncio.timeout(seconds):
                while b"\n" not in heard.lstrip() and len(heard) < _BANNER_LIMIT:
                    if not (more := await reader.read(_BANNER_LIMIT)):
                        break
                    heard += more
        except TimeoutError:
            pass
    return heard.lstrip().partition(b"\n")[0]


async def _identification(reader: asyncio.StreamReader) -> str:
    """Read up to SSH's line. After another line it only waits a moment, as a server sends them together."""
    heard: list[bytes] = []
    seen = 0
    while seen < _BANNER_LIMIT:
        try:
            async with asyncio.timeout(_NEXT_LINE_SECONDS if heard else None):
                line = await reader.readuntil(b"\n")
        except TimeoutError:
            break
        except asyncio.IncompleteReadError as error:
            line = error.partial
        except asyncio.LimitOverrunError:
            line = await reader.read(_BANNER_LIMIT)
            seen = _BANNER_LIMIT
        if line.startswith(b"SSH-"):
            return _printable(line)
        seen += len(line)
        if not line:
            break
        heard.append(line)
    if not b"".join(heard).strip():
        raise Transient("the connection was closed before an SSH banner")
    raise _something_else(heard[0])


def _something_else(line: bytes) -> Permanent:
    return Permanent(f"answered “{_printable(line)[:80]}” instead of an SSH banner")


def _printable(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()
    return "".join(c if c.isprintable() else "�" for c in text)[:255]


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def explain(error: BaseException, host: str, seconds: float) -> Transient:
    """Return the error for a TCP failure, without a full stop: it follows "SSH can't be reached at …"."""
    if isinstance(error, TimeoutError):
        return TimedOut(f"no answer in {seconds:g} s")
    if isinstance(error, socket.gaierror | UnicodeError):
        return Transient(f"the name {host} does not resolve")
    if isinstance(error, ConnectionRefusedError):
        return Transient("connection refused")
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return Transient("the connection was reset")
    reason = getattr(error, "strerror", None) or type(error).__name__
    return Transient(str(reason).lower())


def _explain_http(error: BaseException, url: str, seconds: float) -> AgentpodError:
    import httpx

    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return TimedOut(f"no answer in {seconds:g} s")
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | ValueError):
        return Permanent(f"{url!r} is no http or https address")
    host = httpx.URL(url).host
    cause = _root(error)
    if (tls := tls_reason(cause)) is not None:
        return Permanent(f"TLS failed: {tls}", remedy="Check the certificate, or use an http address.")
    if isinstance(cause, OSError):
        return explain(cause, host, seconds)
    if isinstance(error, httpx.RemoteProtocolError):
        return Transient("the answer is not HTTP, or was cut short")
    return Transient(f"the HTTP request failed ({type(error).__name__})")


def tls_reason(error: BaseException) -> str | None:
    """Return what is wrong with TLS; None for any other error."""
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return str(error.reason or "handshake failed").replace("_", " ").lower()
    return None


def _root(error: BaseException) -> BaseException:
    """Return the first OSError in the chain of causes, as httpx wraps the socket's; else the error itself."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, OSError):
            return _members(at)
        if isinstance(at, BaseExceptionGroup):
            return _root(at.exceptions[0])
        at = at.__cause__ or at.__context__
    return error


def _members(error: OSError) -> OSError:
    """Return the first address's error: anyio wraps those of all addresses in one OSError."""
    cause = error.__cause__
    if isinstance(cause, OSError):
        return cause
    if isinstance(cause, BaseExceptionGroup) and isinstance(cause.exceptions[0], OSError):
        return cause.exceptions[0]
    return error
