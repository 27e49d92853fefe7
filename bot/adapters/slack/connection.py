"""The Socket Mode connection: opened with a guard, watched, renewed before the old one is given up."""

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
"""Seconds between two looks whether pings are answered; an end of the socket is news at once."""
PING = 5.0
LINGER = 2.0
"""Seconds that an old connection may still hear after a new one is open."""
_REASONS = {
    "too_many_websockets": "too many connections of this app are open: is it running more than ten times?",
    "link_disabled": "Socket Mode was switched off for the app: switch it on at api.slack.com, Socket Mode",
}
AT_ONCE = "slash_commands"
"""The kind of envelope that is answered before the next frame is read."""
_ENDS = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
Handle = Callable[[AsyncBaseSocketModeClient, SocketModeRequest], Awaitable[None]]


@dataclass(frozen=True)
class ConnectionStatus:
    """Whether Slack can reach the bot, since when, and in words why not."""

    connected: bool
    since: datetime
    reason: str


class _Client(SocketModeClient):
    """The SDK's client with its own reconnecting switched off: the supervisor does it, new before old."""

    lost: asyncio.Event
    heard: float
    """When the last frame came, as `hearing.moment` has it."""
    reason: str = ""
    unread: int = 0
    """Frames that have arrived and that nobody has looked at yet."""
    _running: set[asyncio.Future[None]]

    async def enqueue_message(self, message: str) -> None:
        """Hand a frame to whoever answers it, without the SDK's queue and the task behind it.

        A slash command is answered before the next frame is read: its answer waits for nothing, so of many that
        come together the first does not wait for the last. Where Slack takes no answers, none of its frames are
        read, until pings without an answer end the connection. A goodbye's reason is noted as it arrives: the SDK
        tells no listener of it, and the close may come first.
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
        """Send a frame. Raises ConnectionError where this connection is over: the next one is another client."""
        if self.current_session is None:
            raise ConnectionResetError
        await self.current_session.send_str(message)

    async def receive_messages(self) -> None:
        """Take frames until the websocket ends, which is news at once; the SDK's own loop sleeps then."""
        assert self.current_session is not None  # noqa: S101 - it is begun once there is one
        try:
            await self._receive(self.current_session)
        except (aiohttp.ClientError, ConnectionError) as error:
            logger.debug("the WebSocket failed: %s", type(error).__name__)
        finally:
            self.lost.set()

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            frame = await socket.receive()
            before, self.heard = self.heard, hearing.moment()
            if frame.type is WSMsgType.TEXT:
                await self.enqueue_message(frame.data)
            elif frame.type is WSMsgType.PING:
                await socket.pong(frame.data)
            elif frame.type is WSMsgType.PONG:
                self.last_ping_pong_time = time.time()
            elif frame.type in _ENDS:
                self.heard = before  # an end is no sign of life: this process may have stood still for long
                return

    async def connect_to_new_endpoint(self, force: bool = False) -> None:  # noqa: ARG002 - the SDK's signature
        """Called by the SDK on a goodbye, a close or stale pings."""
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
        """``handle`` gets every request; ``open_timeout`` in seconds bounds each step of connecting.

        ``watch``: seconds between two looks whether pings are answered.
        """
        self._open_timeout, self._look_every = open_timeout, watch
        self._api, self._token, self._handle, self._observer = api, app_token, handle, observer
        self._client: _Client | None = None
        self._old: set[asyncio.Task[None]] = set()
        self._deaf_since = datetime.now(UTC)
        self._status = ConnectionStatus(False, self._deaf_since, "not connected yet")

    def status(self) -> ConnectionStatus:
        """As of the last change: an end of the socket is noticed as it comes."""
        return self._status

    def unread(self) -> bool:
        """Whether frames have arrived that nobody has looked at."""
        return self._client is not None and self._client.unread > 0

    async def run(self) -> None:
        """Connect, watch, and connect again."""
        failures = 0
        while True:
            try:
                fresh = await self._open()
            except AgentpodError as error:
                failures += 1
                self._deaf(error.message)
                logger.warning("not connected: %s", error.message, extra={"remedy": error.remedy})
                await asyncio.sleep(_pause(failures, error))
                continue
            self._replace(fresh)
            started = time.monotonic()
            reason = await self._watch(fresh)
            failures = failures + 1 if time.monotonic() - started < 5 else 0
            if failures > 1:
                self._deaf(reason)
                await asyncio.sleep(_pause(failures - 1, None))

    async def _open(self) -> _Client:
        """A connected client. Raises AgentpodError, and never hangs."""
        answer = await self._open_url()
        client = _Client(self._token, logger=sdk_logs.SDK, web_client=self._api.client, ping_interval=PING)
        client.lost, client._running = asyncio.Event(), set()
        client.heard = hearing.moment()
        client.wss_uri = answer
        client.proxy = None  # the session knows the way
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
            deaf = (now - self._deaf_since).total_seconds()
            span = {"from": self._deaf_since.replace(microsecond=0), "seconds": round(deaf, 1)}
            logger.info("connected to Slack", extra=span)
            self._status = ConnectionStatus(True, now, "connected")
            self._api.hearing.regained("connection")
            self._observer.connected(True)

    async def _watch(self, client: _Client) -> str:
        """Until the connection is lost or about to be; why."""
        while not client.lost.is_set() and await client.is_connected():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_every):
                    await client.lost.wait()
        reason = _REASONS.get(client.reason, client.reason or "the connection broke")
        logger.info("renewing the connection", extra={"reason": reason})
        if client.reason in _REASONS:
            self._deaf(reason)
            logger.error("Slack closed the connection: %s", reason)
        elif client.current_session is None or client.current_session.closed:
            self._deaf(reason)
        return reason

    def _deaf(self, reason: str) -> None:
        now = datetime.now(UTC)
        if self._status.connected:
            self._deaf_since = now
            self._api.hearing.lost("connection", self._client.heard if self._client else None)
            self._observer.connected(False)
            logger.warning("not connected to Slack", extra={"reason": reason})
            self._status = ConnectionStatus(False, now, reason)
        else:
            self._status = ConnectionStatus(False, self._status.since, reason)

    async def close(self) -> None:
        """Hang up."""
        for task in tuple(self._old):
            task.cancel()
        await asyncio.gather(*self._old, return_exceptions=True)
        if self._client is not None:
            await _close(self._client)
            self._client = None
        self._status = ConnectionStatus(False, datetime.now(UTC), "stopped")


async def _connect(client: _Client) -> None:
    """As the SDK's connect(), but a refusal is raised instead of tried for ever with the same ticket.

    aiohttp pings a silent connection and ends one that does not answer: the SDK's own pings would only repeat it.
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
    """Backoff with jitter, in seconds; longer where only a person can help."""
    if isinstance(error, Transient) and error.retry_after:
        return error.retry_after
    limit = 60.0 if isinstance(error, Permanent) else 30.0
    wait = 0.5 * 2.0 ** min(failures - 1, 8)
    return min(limit, wait) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
