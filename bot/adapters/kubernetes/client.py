"""One connection to an API server: raw calls with one deadline each, retried where that is safe and short."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import msgspec
from kubernetes.aio.client import ApiClient

from bot.adapters.kubernetes import config, credentials, decode, errors
from bot.domain.workload import Right
from bot.errors import AgentpodError

S = TypeVar("S")
T = TypeVar("T")

refusal: ContextVar[bytearray | None] = ContextVar("refusal", default=None)
"""Where the body of a refused WebSocket handshake is put, since aiohttp's error drops it."""

LONG = 200_000
"""Bytes of a list from which on it is read beside what else the bot does."""
_REFUSAL_LIMIT = 64 * 1024


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

    def url(self, server: str) -> str:
        """The whole URL."""
        return server + self.path + ("?" + urlencode(self.query, quote_via=quote) if self.query else "")


@dataclass(frozen=True)
class Answer:
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
    """The client, its configuration and where that came from; shared by all namespaces."""

    def __init__(self, client: ApiClient, source: config.Source, timeout: float) -> None:
        """``timeout`` is each call's deadline in seconds."""
        self.source = source
        self.timeout = timeout
        self._client: Any = client
        self._renewing = asyncio.Lock()

    @classmethod
    async def open(cls, context: str | None, seconds: float) -> Connection:
        """Read the configuration; nothing is sent yet. ``seconds`` is each call's deadline. Raises Permanent."""
        configuration, source = await config.load(context)
        configuration.trace_configs = [_tracing()]
        if urlsplit(str(configuration.host)).hostname in ("localhost", "127.0.0.1", "::1"):
            # As in kubectl, this machine is never asked through the environment's proxy.
            configuration.client_session_kwargs = {"trust_env": False}
        return cls(config.build_client(configuration, source), source, seconds)

    @property
    def server(self) -> str:
        """The API server's address."""
        return str(self._client.configuration.host)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def headers(self) -> dict[str, str]:
        """The headers of every call. Reads a rotated service account token anew (at most once a minute)."""
        auth = await self._client.configuration.auth_settings()
        headers = {"User-Agent": self._client.user_agent, "Accept": "application/json"}
        if value := (auth.get("BearerToken") or {}).get("value"):
            headers["Authorization"] = str(value).strip()
        return headers

    def session(self) -> aiohttp.ClientSession:
        """The client's own pool, for WebSockets. The client itself makes it at the first call."""
        rest = self._client.rest_client
        if rest.pool_manager is None:
            rest.pool_manager = rest._create_pool_manager()
        session: aiohttp.ClientSession = rest.pool_manager
        return session

    def socket_options(self) -> dict[str, Any]:
        """What the configuration says about proxy and TLS name, in `ws_connect`'s words."""
        configuration = self._client.configuration
        options = {
            "proxy": configuration.proxy,
            "proxy_headers": configuration.proxy_headers,
            "server_hostname": configuration.tls_server_name,
        }
        return {name: value for name, value in options.items() if value}

    async def read(self, call: Call, type_: type[T]) -> T:
        """The answer's JSON as ``type_``. Raises `bot.errors` only."""
        answer = await self.send(call)
        with errors.edge(self.server, self.timeout):
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
        except decode.Unreadable as error:
            raise errors.unexpected(self.server, f"in the answer to `{call.right}`, {error}") from error
        except decode.WRONG as error:
            raise errors.unexpected(self.server, _no_json(call, body, error)) from error

    async def send(self, call: Call) -> Answer:
        """Send and read to the end, within one deadline. Raises `bot.errors` only, also for any status but 2xx."""
        with errors.edge(self.server, self.timeout):
            async with asyncio.timeout(self.timeout) as deadline:
                answer = await self._once(call)
                if await self._worth_another_try(answer, deadline):
                    answer = await self._once(call)
        if not 200 <= answer.status < 300:
            raise self.refused(answer, call)
        return answer

    @asynccontextmanager
    async def stream(self, call: Call, idle: float) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response to read as it comes, for as long as it lasts; ``idle`` seconds of silence end it.

        Its beginning has the usual deadline, and raises `bot.errors` only, also for any status but 2xx. What is
        read from it raises aiohttp's errors. Credentials are not renewed: the list before a watch has done that.
        """
        with errors.edge(self.server, self.timeout):
            async with asyncio.timeout(self.timeout):
                response = await self._begun(call, idle)
        async with response:
            try:
                yield response
            finally:
                # Whoever leaves early leaves in the middle of an answer: no goodbye of TLS is to be waited for.
                if response.connection is not None and response.connection.transport is not None:
                    response.connection.transport.abort()

    async def _begun(self, call: Call, idle: float) -> aiohttp.ClientResponse:
        headers = await self.headers()
        response = await self.session().request(
            call.method,
            call.url(self.server),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_read=idle),
            **self.socket_options(),
        )
        if 200 <= response.status < 300:
            return response
        async with response:
            body = await response.read()
        raise self.refused(Answer(response.status, response.headers, body, headers.get("Authorization", "")), call)

    def refused(self, answer: Answer, call: Call) -> AgentpodError:
        """The error for an answer that is no success; for 401 it says whose credentials were not accepted."""
        if answer.status == 401:
            said = errors.status_of(answer.body).message or "Unauthorized"
            return credentials.not_accepted(said, answer.authorization, self.source, datetime.now(UTC))
        return errors.from_status(answer.status, answer.body, call.right, answer.headers)

    async def _once(self, call: Call) -> Answer:
        headers = await self.headers()
        response = await self._client.call_api(
            call.method,
            call.url(self.server),
            header_params={**headers, "Content-Type": call.content_type},
            body=call.body,
            # The deadline is asyncio's: the client takes a timeout for the request only, not for reading.
            _request_timeout=aiohttp.ClientTimeout(total=None),
        )
        async with response.response:
            body = await response.read()
        return Answer(response.status, response.headers, body, headers.get("Authorization", ""))

    async def _worth_another_try(self, answer: Answer, deadline: asyncio.Timeout) -> bool:
        """One more try: after new credentials, an expired list, or a pause that fits the deadline."""
        if answer.status == 410:
            return True
        if answer.status == 401:
            return await self._renewed(answer.authorization)
        if answer.status != 429:
            return False
        pause = errors.retry_after(answer.headers)
        left = (deadline.when() or 0) - asyncio.get_running_loop().time()
        # Half of what is left stays for the second try.
        if pause is None or pause > left / 2:
            return False
        await asyncio.sleep(pause)
        return True

    async def _renewed(self, refused: str) -> bool:
        """Read a token that was rotated, in the kubeconfig or the pod. Whether it differs from ``refused``.

        Many calls are refused together: one of them reads, and all of them try again.
        """
        async with self._renewing:
            if (await self.headers()).get("Authorization", "") != refused:
                return True
            fresh, source = await config.load(self.source.context)
            current = self._client.configuration
            if source.in_cluster != self.source.in_cluster or fresh.host != current.host:
                return False
            current.api_key, current.refresh_api_key_hook = fresh.api_key, fresh.refresh_api_key_hook
            return (await self.headers()).get("Authorization", "") != refused
