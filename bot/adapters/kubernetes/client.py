"""One connection to an API server: raw calls with one deadline each, retried where that is safe and short."""

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
from bot.adapters.kubernetes.login import Login
from bot.adapters.transport import sessions
from bot.domain.core.proxies import Route
from bot.domain.core.workload import Right
from bot.errors import AgentpodError

S = TypeVar("S")
T = TypeVar("T")

refusal: ContextVar[bytearray | None] = ContextVar("refusal", default=None)
"""Where the body of a refused WebSocket handshake is put, since aiohttp's error drops it."""

LONG = 200_000
"""Bytes of a list from which on it is read beside what else the bot does."""
_REFUSAL_LIMIT = 64 * 1024
MOST = 32 * 1024 * 1024
"""Bytes of one answer at most: some ten thousand events."""


@dataclass(frozen=True)
class Call:
    """One request. ``right`` is what it needs, for messages."""

    right: Right
    path: str
    query: Sequence[tuple[str, str]] = ()
    method: str = "GET"
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    """Never shown: it may hold a secret's value."""
    content_type: str = "application/json"
    most: int = MOST
    """Bytes of the answer at most."""
    cut: bool = False
    """Whether a longer answer is cut there, as one that was asked for by its length; else it is refused."""

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
    """As whom it was asked for."""


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
    """The connections to one API server and who the bot is there; shared by all namespaces."""

    def __init__(self, login: Login, timeout: float) -> None:
        """``timeout`` is each call's deadline in seconds."""
        self.login = login
        self.timeout = timeout
        self._sessions: dict[int, aiohttp.ClientSession] = {}

    @classmethod
    async def open(
        cls, context: str | None, seconds: float, patience: float | None = None, kubeconfig: str | None = None
    ) -> Connection:
        """Read the configuration; nothing is sent to the API server yet. ``seconds`` is each call's deadline.

        ``patience`` is how long a credential plugin may take; ``kubeconfig`` is the one file to read, where it is
        given. Raises Permanent, and what a plugin's failure is.
        """
        return cls(await Login.open(context, seconds, patience, kubeconfig), seconds)

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
        """The way to it."""
        return self.login.route

    async def close(self) -> None:
        """Close all connections."""
        self.login.close()
        for session in self._sessions.values():
            await session.close()

    async def headers(self) -> dict[str, str]:
        """The headers of every call, with a credential that has not expired. Raises what a plugin's failure is."""
        headers = {"User-Agent": f"agentpod/{__version__}", "Accept": "application/json"}
        if value := await self.login.authorization():
            headers["Authorization"] = value
        return headers

    def session(self) -> aiohttp.ClientSession:
        """The pool of connections; another one once the bot has another certificate."""
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
        """What the configuration says about the name in TLS, in aiohttp's words."""
        name = self.login.tls_name
        return {"server_hostname": name} if name else {}

    async def read(self, call: Call, type_: type[T]) -> T:
        """The answer's JSON as ``type_``. Raises `bot.errors` only."""
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
        """The objects of a list; see `decode.listed`. A long one is read in a thread. Raises `bot.errors` only."""
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
        """Send and read to the end, within one deadline. Raises `bot.errors` only, also for any status but 2xx."""
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
        """A response to read as it comes, for ``total`` seconds at most; ``idle`` seconds of silence end it.

        Its beginning has the usual deadline, and raises `bot.errors` only, also for any status but 2xx. What is
        read from it raises aiohttp's errors. Credentials are not renewed: the list before a watch has done that.
        """
        with errors.edge(self.server, self.timeout, self.route):
            async with asyncio.timeout(self.timeout):
                response = await self._begun(call, aiohttp.ClientTimeout(total=total, sock_read=idle))
        async with response:
            try:
                yield response
            finally:
                # Whoever leaves early leaves in the middle of an answer: no goodbye of TLS is to be waited for.
                if response.connection is not None and response.connection.transport is not None:
                    response.connection.transport.abort()

    async def _begun(self, call: Call, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
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
            allow_redirects=False,  # an API server has none, and the credentials are for nobody else
            **self.socket_options(),
        )

    def refused(self, answer: ApiResponse, call: Call) -> AgentpodError:
        """The error for an answer that is no success; for 401 it says whose credentials were not accepted."""
        if answer.status == 401:
            said = errors.status_of(answer.body).message or "Unauthorized"
            return self.login.not_accepted(said, answer.authorization)
        return errors.from_status(answer.status, answer.body, call.right, answer.headers)

    async def _once(self, call: Call) -> ApiResponse:
        headers = await self.headers()
        # The deadline is asyncio's: it covers the reading as well.
        response = await self._request(call, headers, aiohttp.ClientTimeout(total=None))
        good = 200 <= response.status < 300
        most = call.most if good else _REFUSAL_LIMIT
        body = await sessions.read(response, most, cut=call.cut or not good)
        return ApiResponse(response.status, response.headers, body, headers.get("Authorization", ""))

    async def _worth_another_try(self, answer: ApiResponse, deadline: asyncio.Timeout) -> bool:
        """One more try: after new credentials, an expired list, or a pause that fits the deadline."""
        if answer.status == 410:
            return True
        if answer.status == 401:
            return await self.login.renewed(answer.authorization)
        if answer.status != 429:
            return False
        pause = errors.pause(answer.headers)
        left = (deadline.when() or 0) - asyncio.get_running_loop().time()
        # Half of what is left stays for the second try.
        if pause is None or pause > left / 2:
            return False
        await asyncio.sleep(pause)
        return True
