"""HTTP calls to one API server, each with a deadline, retried once where that is safe and fits it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import msgspec

from bot import __version__
from bot.adapters.kubernetes import config, decode, errors
from bot.adapters.kubernetes.exec_turns import ExecTurns
from bot.adapters.kubernetes.login import Learn, Login
from bot.adapters.transport import sessions
from bot.domain.core.proxies import Route
from bot.domain.core.workload import Right
from bot.errors import AgentpodError

S = TypeVar("S")
T = TypeVar("T")

refusal: ContextVar[bytearray | None] = ContextVar("refusal", default=None)
"""Receives the body of a refused WebSocket handshake, which aiohttp's error drops."""

LONG = 200_000
"""Bytes from which a list is decoded in a thread, so that it does not block the event loop."""
_REFUSAL_LIMIT = 64 * 1024
MOST = 32 * 1024 * 1024
"""Maximum bytes of a response: about ten thousand events."""


@dataclass(frozen=True)
class Call:
    """One HTTP request. ``right`` is the right that it needs, for messages."""

    right: Right
    path: str
    query: Sequence[tuple[str, str]] = ()
    method: str = "GET"
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    """Not in the repr: it may hold a secret's value."""
    content_type: str = "application/json"
    most: int = MOST
    """Maximum bytes of the response."""
    cut: bool = False
    """Whether a longer response is truncated instead of refused."""

    def url(self, server: str) -> str:
        """The whole URL."""
        return server + self.path + ("?" + urlencode(self.query, quote_via=quote) if self.query else "")


@dataclass(frozen=True)
class ApiResponse:
    """A response read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    authorization: str = field(repr=False)
    """The ``Authorization`` header of its request."""


def _no_json(call: Call, body: bytes, error: Exception) -> str:
    start = " ".join(body[:60].decode("utf-8", "replace").split())
    return f"not the JSON of `{call.right}` ({error}), but “{start}”" if start else "an empty body"


async def _keep_refusal(_session: object, _context: object, params: aiohttp.TraceRequestEndParams) -> None:
    kept = refusal.get()
    if kept is not None and params.response.status != 101:
        kept += await params.response.content.read(_REFUSAL_LIMIT)


def _tracing() -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(_keep_refusal)
    return trace


class Connection:
    """The connections to one API server and the bot's credential there; shared by all namespaces."""

    lasting = True
    """Whether changes that are sent on it last: not in a dry run."""

    def __init__(self, login: Login, timeout: float) -> None:
        """``timeout`` is each call's deadline in seconds."""
        self.login = login
        self.timeout = timeout
        self.turns = ExecTurns()
        self._sessions: dict[int, aiohttp.ClientSession] = {}

    @classmethod
    async def open(
        cls,
        context: str | None,
        seconds: float,
        patience: float | None = None,
        kubeconfig: str | None = None,
        learn: Learn | None = None,
    ) -> Connection:
        """Read the configuration, without calling the API server.

        ``seconds`` is each call's deadline, ``patience`` a credential plugin's; ``kubeconfig`` is the one file to
        read, None finds it by the client's usual rules; ``learn`` gets each token before it is used. Raises
        Permanent, and what a plugin's `run` raises.
        """
        return cls(await Login.open(context, seconds, patience, kubeconfig, learn), seconds)

    @property
    def source(self) -> config.ConfigSource:
        """Which configuration is in use."""
        return self.login.source

    @property
    def server(self) -> str:
        """The API server's address."""
        return self.login.server

    @property
    def route(self) -> Route:
        """The route to the API server."""
        return self.login.route

    async def close(self) -> None:
        """Close all connections."""
        self.login.close()
        for session in self._sessions.values():
            await session.close()

    async def headers(self) -> dict[str, str]:
        """Return a call's headers, with a credential that has not expired. Raises what a plugin's `run` raises."""
        headers = {"User-Agent": f"agentpod/{__version__}", "Accept": "application/json"}
        if value := await self.login.authorization():
            headers["Authorization"] = value
        return headers

    def session(self) -> aiohttp.ClientSession:
        """Return the connection pool: a new one for each client certificate."""
        generation = self.login.generation
        if generation not in self._sessions:
            self._sessions[generation] = sessions.session(
                MOST,
                choose=sessions.fixed(self.route) if self.login.own_route else sessions.by_environment,
                pool=config.POOL_SIZE,
                tls=self.login.tls,
                trace_configs=[_tracing()],
                read_bufsize=2**21,
            )
        return self._sessions[generation]

    def socket_options(self) -> dict[str, Any]:
        """Return aiohttp's options for the TLS server name of the configuration."""
        name = self.login.tls_name
        return {"server_hostname": name} if name else {}

    async def read(self, call: Call, type_: type[T]) -> T:
        """Send and decode the response's JSON as ``type_``. Raises `bot.errors` only."""
        answer = await self.send(call)
        with errors.edge(self.server, self.timeout, self.route):
            try:
                return msgspec.json.decode(answer.body, type=type_)
            except decode.WRONG as error:
                raise errors.unexpected(self.server, _no_json(call, answer.body, error)) from error

    async def listed(
        self,
        call: Call,
        shape: type[S],
        convert: Callable[[S], T],
        instead: Callable[[Any, str], T] | None = None,
    ) -> list[T]:
        """Return the objects of a list; see `decode.listed`. Raises `bot.errors` only."""
        body = (await self.send(call)).body
        try:
            if len(body) < LONG:
                return decode.listed(body, shape, convert, instead)
            return await asyncio.to_thread(decode.listed, body, shape, convert, instead)
        except decode.UndecodableObject as error:
            raise errors.unexpected(self.server, f"in the answer to `{call.right}`, {error}") from error
        except decode.WRONG as error:
            raise errors.unexpected(self.server, _no_json(call, body, error)) from error

    async def send(self, call: Call) -> ApiResponse:
        """Send the call and read the whole response within one deadline.

        Raises `bot.errors` only, also for any status but 2xx.
        """
        with errors.edge(self.server, self.timeout, self.route):
            async with asyncio.timeout(self.timeout) as deadline:
                answer = await self._once(call)
                if await self._worth_another_try(answer, deadline):
                    answer = await self._once(call)
        if not 200 <= answer.status < 300:
            raise self.refused(answer, call)
        return answer

    @asynccontextmanager
    async def stream(self, call: Call, idle: float, total: float) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open a streamed response, for at most ``total`` seconds; it ends after ``idle`` seconds without data.

        Opening it has the usual deadline and raises `bot.errors` only, also for any status but 2xx. Reading raises
        aiohttp's errors. A 401 does not renew the credential: the list before a watch has done that.
        """
        with errors.edge(self.server, self.timeout, self.route):
            async with asyncio.timeout(self.timeout):
                response = await self._open_stream(call, aiohttp.ClientTimeout(total=total, sock_read=idle))
        async with response:
            try:
                yield response
            finally:
                # A caller that stops early leaves an unfinished response: don't wait for TLS's closing handshake.
                if response.connection is not None and response.connection.transport is not None:
                    response.connection.transport.abort()

    async def _open_stream(self, call: Call, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        headers = await self.headers()
        response = await self._request(call, {**headers, "Accept-Encoding": "identity"}, limits)
        if 200 <= response.status < 300:
            if encoding := response.headers.get("Content-Encoding"):
                response.close()
                raise errors.unexpected(self.server, f"a stream with the encoding “{encoding[:40]}”")
            return response
        body = await sessions.read(response, _REFUSAL_LIMIT, cut=True)
        raise self.refused(
            ApiResponse(response.status, response.headers, body, headers.get("Authorization", "")), call
        )

    async def _request(
        self, call: Call, headers: Mapping[str, str], limits: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        return await self.session().request(
            call.method,
            call.url(self.server),
            headers={**headers, "Content-Type": call.content_type},
            data=None if call.body is None else msgspec.json.encode(call.body),
            timeout=limits,
            allow_redirects=False,  # API servers don't redirect, and no other server may get the credential
            **self.socket_options(),
        )

    def refused(self, answer: ApiResponse, call: Call) -> AgentpodError:
        """Return the error for a response with an error status; for 401 it names the credentials."""
        if answer.status == 401:
            said = errors.status_of(answer.body).message or "Unauthorized"
            return self.login.not_accepted(said, answer.authorization)
        return errors.from_status(answer.status, answer.body, call.right, answer.headers)

    async def _once(self, call: Call) -> ApiResponse:
        headers = await self.headers()
        # No aiohttp timeout: the caller's asyncio.timeout covers reading the body as well.
        response = await self._request(call, headers, aiohttp.ClientTimeout(total=None))
        good = 200 <= response.status < 300
        most = call.most if good else _REFUSAL_LIMIT
        body = await sessions.read(response, most, cut=call.cut or not good)
        return ApiResponse(response.status, response.headers, body, headers.get("Authorization", ""))

    async def _worth_another_try(self, answer: ApiResponse, deadline: asyncio.Timeout) -> bool:
        """Whether to retry: on an expired list (410), a renewed credential, or a pause that fits the deadline."""
        if answer.status == 410:
            return True
        if answer.status == 401:
            return await self.login.renewed(answer.authorization)
        if answer.status != 429:
            return False
        pause = errors.pause(answer.headers)
        left = (deadline.when() or 0) - asyncio.get_running_loop().time()
        # At least half of the remaining time is left for the second try.
        if pause is None or pause > left / 2:
            return False
        await asyncio.sleep(pause)
        return True
