"""The Socket Mode connection: opened with a timeout, watched, and replaced before the old one is closed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import WSMsgType
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.adapters.slack import hearing, payload, sdk_logs
from bot.adapters.slack.api import Api, SlackObserver, new_session
from bot.adapters.slack.errors import translate
from bot.errors import AgentpodError, Permanent, Transient

logger = logging.getLogger("agentpod.slack")

OPEN_TIMEOUT = 15.0
WATCH = 2.5
"""Seconds between checks that pings are answered; a closed socket is noticed at once."""
PING = 5.0
LINGER = 2.0
"""Seconds for which an old connection still receives after a new one is open."""
_REASONS = {
    "too_many_websockets": "too many connections of this app are open: is it running more than ten times?",
    "link_disabled": "Socket Mode was switched off for the app: switch it on at api.slack.com, Socket Mode",
}
AT_ONCE = "slash_commands"
"""The type of envelope that is acknowledged before the next frame is read."""
_ENDS = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
Handle = Callable[[AsyncBaseSocketModeClient, SocketModeRequest], Awaitable[None]]


@dataclass(frozen=True)
class ConnectionStatus:
    """Whether Slack can reach the bot, since when, and the reason if not."""

    connected: bool
    since: datetime
    reason: str


class _Client(SocketModeClient):
    """The SDK's client without its own reconnecting: `SocketConnection` opens a new one before closing the old."""

    lost: asyncio.Event
    heard: float
    """When the last frame arrived, as a `hearing.moment`."""
    reason: str = ""
    unread: int = 0
    """The number of frames that have arrived and were not handled yet."""
    _running: set[asyncio.Future[None]]

    async def enqueue_message(self, message: str) -> None:
        """Pass a frame to the listeners, without the SDK's queue and its task.

        A slash command is acknowledged before the next frame is read, as that waits for no other work: in a burst
        the first does not wait for the last. While Slack does not read acknowledgements, no frames are read, until
        unanswered pings end the connection. The reason of a disconnect frame is stored here: the SDK passes it to
        no listener and the socket may be closed right after.
        """
        envelope = payload.envelope(message)
        if envelope is None:
            logger.warning("invalid WebSocket frame from Slack")
            return
        if envelope.get("type") == "disconnect":
            self.reason = str(envelope.get("reason") or "") or self.reason
        if envelope.get("type") == AT_ONCE:
            await self.run_message_listeners(envelope, message)
            return
        self.unread += 1
        task = asyncio.ensure_future(self._listened_to(envelope, message))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _listened_to(self, envelope: dict[str, Any], frame: str) -> None:
        self.unread -= 1
        await self.run_message_listeners(envelope, frame)

    async def send_message(self, message: str) -> None:
        """Send a frame. Raises ConnectionError if this connection has ended: the next one is another client."""
        if self.current_session is None:
            raise ConnectionResetError
        await self.current_session.send_str(message)

    async def receive_messages(self) -> None:
        """Receive frames until the WebSocket ends, and report the end at once; the SDK's own loop would sleep."""
        assert self.current_session is not None  # noqa: S101 - started once there is one
        try:
            await self._receive(self.current_session)
        except (aiohttp.ClientError, ConnectionError) as error:
            logger.debug("the WebSocket failed: %s", type(error).__name__)
        finally:
            self.lost.set()

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            frame = await socket.receive()
            if frame.type in _ENDS:
                return  # no sign of life: the process may have been suspended
            self.heard = hearing.moment()
            # aiohttp pings a silent connection only: without this the SDK would call a busy one stale.
            self.last_ping_pong_time = time.time()
            if frame.type is WSMsgType.TEXT:
                await self.enqueue_message(frame.data)
            elif frame.type is WSMsgType.PING:
                await socket.pong(frame.data)

    async def connect_to_new_endpoint(self, force: bool = False) -> None:  # noqa: ARG002 - the SDK's signature
        """Report the connection as lost; the SDK calls it on a disconnect frame, a close or stale pings."""
        self.lost.set()


class SocketConnection:
    """Keeps one connection open until cancelled."""

    def __init__(
        self,
        api: Api,
        app_token: str,
        handle: Handle,
        observer: SlackObserver,
        open_timeout: float = OPEN_TIMEOUT,
        watch: float = WATCH,
    ) -> None:
        """``handle`` is called with each request; ``open_timeout`` is the timeout of each step of connecting.

        ``watch``: seconds between checks that pings are answered.
        """
        self._open_timeout, self._check_every = open_timeout, watch
        self._api, self._token, self._handle, self._observer = api, app_token, handle, observer
        self._client: _Client | None = None
        self._old: set[asyncio.Task[None]] = set()
        self._disconnected_since = datetime.now(UTC)
        self._status = ConnectionStatus(False, self._disconnected_since, "not connected yet")

    def status(self) -> ConnectionStatus:
        """The connection's current state."""
        return self._status

    def unread(self) -> bool:
        """Whether frames have arrived that were not handled yet."""
        return self._client is not None and self._client.unread > 0

    async def run(self) -> None:
        """Connect, watch the connection, and reconnect, until cancelled."""
        failures = 0
        while True:
            try:
                fresh = await self._open()
            except AgentpodError as error:
                failures += 1
                self._set_disconnected(error.message)
                logger.warning("not connected: %s", error.message, extra={"remedy": error.remedy})
                await asyncio.sleep(_pause(failures, error))
                continue
            self._replace(fresh)
            started = time.monotonic()
            reason = await self._watch(fresh)
            failures = failures + 1 if time.monotonic() - started < 5 else 0
            if failures > 1:
                self._set_disconnected(reason)
                await asyncio.sleep(_pause(failures - 1, None))

    async def _open(self) -> _Client:
        """Return a connected client. Raises AgentpodError; each step has a timeout."""
        answer = await self._open_url()
        client = _Client(self._token, logger=sdk_logs.SDK, web_client=self._api.client, ping_interval=PING)
        client.lost, client._running = asyncio.Event(), set()
        client.heard = hearing.moment()
        client.wss_uri = answer
        client.proxy = None  # the session chooses the proxy
        await client.aiohttp_client_session.close()
        client.aiohttp_client_session = new_session()
        client.socket_mode_request_listeners.append(self._handle)
        try:
            async with asyncio.timeout(self._open_timeout):
                await _connect(client)
        except BaseException as error:
            await _close(client)
            if isinstance(error, Exception):
                raise translate("the Socket Mode connection", error, answer) from None
            raise
        return client

    async def _open_url(self) -> str:
        try:
            async with asyncio.timeout(self._open_timeout):
                answer = await self._api.client.api_call(
                    "apps.connections.open", headers={"Authorization": f"Bearer {self._token}"}
                )
        except Exception as error:
            raise translate("apps.connections.open", error, self._api.base_url) from None
        return str(answer["url"])

    def _replace(self, fresh: _Client) -> None:
        old, self._client = self._client, fresh
        if old is not None:
            task = asyncio.get_running_loop().create_task(_linger(old), name="slack-old-connection")
            self._old.add(task)
            task.add_done_callback(self._old.discard)
        if not self._status.connected:
            now = datetime.now(UTC)
            offline = (now - self._disconnected_since).total_seconds()
            span = {"from": self._disconnected_since.replace(microsecond=0), "seconds": round(offline, 1)}
            logger.info("connected to Slack", extra=span)
            self._status = ConnectionStatus(True, now, "connected")
            self._api.hearing.regained("connection")
            self._observer.connected(True)

    async def _watch(self, client: _Client) -> str:
        """Wait until the connection is lost or Slack announces its end; return the reason."""
        while not client.lost.is_set() and await client.is_connected():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._check_every):
                    await client.lost.wait()
        reason = _REASONS.get(client.reason, client.reason or "the connection broke")
        logger.info("renewing the connection", extra={"reason": reason})
        if client.reason in _REASONS:
            self._set_disconnected(reason)
            logger.error("Slack closed the connection: %s", reason)
        elif client.current_session is None or client.current_session.closed:
            self._set_disconnected(reason)
        return reason

    def _set_disconnected(self, reason: str) -> None:
        now = datetime.now(UTC)
        if self._status.connected:
            self._disconnected_since = now
            self._api.hearing.lost("connection", self._client.heard if self._client else None)
            self._observer.connected(False)
            logger.warning("not connected to Slack", extra={"reason": reason})
            self._status = ConnectionStatus(False, now, reason)
        else:
            self._status = ConnectionStatus(False, self._status.since, reason)

    async def close(self) -> None:
        """Close all connections."""
        for task in tuple(self._old):
            task.cancel()
        await asyncio.gather(*self._old, return_exceptions=True)
        if self._client is not None:
            await _close(self._client)
            self._client = None
        self._status = ConnectionStatus(False, datetime.now(UTC), "stopped")


async def _connect(client: _Client) -> None:
    """Connect as the SDK does, but raise a refusal instead of retrying forever with the same ticket.

    aiohttp pings a silent connection and ends one that does not answer, so the SDK's own pings are not started.
    """
    session = await client.aiohttp_client_session.ws_connect(str(client.wss_uri), autoping=False, heartbeat=PING)
    client.current_session = session
    client.message_receiver = asyncio.ensure_future(client.receive_messages())


async def _linger(client: _Client) -> None:
    try:
        await asyncio.sleep(LINGER)
    finally:
        await _close(client)


async def _close(client: _Client) -> None:
    tasks = [client.message_processor, client.message_receiver]
    with contextlib.suppress(Exception):
        async with asyncio.timeout(5):
            await client.close()  # type: ignore[no-untyped-call]  # the SDK's own
    if not client.aiohttp_client_session.closed:
        await client.aiohttp_client_session.close()
    for task in tasks:
        if task is not None:
            task.cancel()
    await asyncio.gather(*(t for t in tasks if t is not None), return_exceptions=True)


def _pause(failures: int, error: AgentpodError | None) -> float:
    """Return the pause before the next try, in seconds: exponential backoff with jitter.

    Slack's ``Retry-After`` has precedence. The limit is higher for errors that only a person can fix.
    """
    if isinstance(error, Transient) and error.retry_after:
        return error.retry_after
    limit = 60.0 if isinstance(error, Permanent) else 30.0
    wait = 0.5 * 2.0 ** min(failures - 1, 8)
    return min(limit, wait) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
