"""Socket Mode: tickets, connections, envelopes, acknowledgements, pings and disconnects."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from sandbox.slack import seed
from sandbox.slack.delivery import FAILED, TIMEOUT, Ack, Kind
from sandbox.slack.faults import Faults
from sandbox.slack.model import Json
from sandbox.slack.record import Envelope, Record
from sandbox.slack.store import Clock

MAX_CONNECTIONS = 10
TICKET_LIFETIME_S = 30.0
CONNECTION_TIME_S = 18_060


@dataclass(slots=True, eq=False)
class Connection:
    """One open socket of the app."""

    id: str
    ws: web.WebSocketResponse
    request: web.Request


@dataclass(slots=True)
class _Pending:
    envelope: Envelope
    started: float
    acked: asyncio.Future[Json | None]


class SocketHub:
    """All sockets of the app."""

    def __init__(
        self,
        record: Record,
        faults: Faults,
        clock: Clock,
        *,
        ack_timeout_s: float = 3.0,
        ping_interval_s: float = 5.0,
    ) -> None:
        """``clock`` decides when tickets expire; acknowledgements are timed by the machine's clock."""
        self.on_change: Callable[[], None] = lambda: None
        self._record = record
        self._faults = faults
        self._clock = clock
        self._ack_timeout_s = ack_timeout_s
        self._ping_interval_s = ping_interval_s
        self._connections: list[Connection] = []
        self._next = 0
        self._tickets: dict[str, float] = {}
        self._pending: dict[str, _Pending] = {}

    @property
    def connections(self) -> int:
        """How many sockets are open."""
        return len(self._connections)

    def issue_ticket(self) -> str:
        """Issue a ticket for one connection within 30 s."""
        now = self._clock()
        self._tickets = {t: at for t, at in self._tickets.items() if now - at <= TICKET_LIFETIME_S}
        ticket = str(uuid.uuid4())
        self._tickets[ticket] = now
        return ticket

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle GET /link/: one connection from hello to its end."""
        issued = self._tickets.pop(request.query.get("ticket", ""), None)
        if issued is None or self._clock() - issued > TICKET_LIFETIME_S:
            return web.json_response({"ok": False, "error": "invalid_ticket"}, status=400)
        ws = web.WebSocketResponse(max_msg_size=1 << 24, compress=False)
        await ws.prepare(request)
        if self.connections >= MAX_CONNECTIONS:
            await ws.send_json(_disconnect("too_many_websockets"))
            await ws.close()
            return ws
        connection = Connection(secrets.token_hex(4), ws, request)
        await self._serve(connection)
        return ws

    async def _serve(self, connection: Connection) -> None:
        self._connections.append(connection)
        pinger = asyncio.create_task(self._ping(connection), name="socket-mode-ping")
        try:
            await connection.ws.send_json(self._hello())
            self.on_change()
            async for frame in connection.ws:
                if frame.type is WSMsgType.TEXT:
                    self._acknowledge(frame.data)
        except ConnectionError:
            pass  # the app disconnected before it received the hello
        finally:
            pinger.cancel()
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            self.on_change()

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": self.connections,
            "debug_info": {
                "host": "applink-sandbox",
                "build_number": 1,
                "approximate_connection_time": CONNECTION_TIME_S,
            },
            "connection_info": {"app_id": seed.APP_ID},
        }

    async def _ping(self, connection: Connection) -> None:
        with contextlib.suppress(ConnectionError):
            while not connection.ws.closed:
                await connection.ws.ping(f"Ping from applink-sandbox {int(self._clock())}".encode())
                await asyncio.sleep(self._ping_interval_s)

    def _acknowledge(self, text: str) -> None:
        try:
            frame = json.loads(text)
            envelope_id, payload = frame["envelope_id"], frame.get("payload")
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # like Slack, ignore anything that is no acknowledgement
        pending = self._pending.get(envelope_id)
        if pending is None or pending.acked.done():
            return
        pending.acked.set_result(payload if isinstance(payload, dict) and payload else None)

    async def deliver(self, kind: Kind, payload: Json, *, retry: int = 0, reason: str = "") -> Ack:
        """Send an envelope on one of the connections and wait for its acknowledgement."""
        envelope = Envelope(str(uuid.uuid4()), kind, payload, self._clock(), "", retry, reason)
        started = time.perf_counter()
        pending = _Pending(envelope, started, asyncio.get_running_loop().create_future())
        self._pending[envelope.id] = pending
        self._record.envelopes.append(envelope)
        try:
            if not await self._send(envelope):
                return Ack(FAILED, time.perf_counter() - started)
            return await self._acked(pending)
        finally:
            del self._pending[envelope.id]

    async def _acked(self, pending: _Pending) -> Ack:
        try:
            async with asyncio.timeout(self._ack_timeout_s):
                payload = await pending.acked
        except TimeoutError:
            return Ack(TIMEOUT, time.perf_counter() - pending.started)
        seconds = time.perf_counter() - pending.started
        pending.envelope.ack_seconds, pending.envelope.ack = seconds, payload
        return Ack(None, seconds, payload)

    async def _send(self, envelope: Envelope) -> bool:
        frame = json.dumps(_frame(envelope))
        sent = await self._send_to_one(envelope, frame)
        if sent and self._faults.duplicate:
            await self._send_to_one(envelope, frame)
        return sent

    async def _send_to_one(self, envelope: Envelope, frame: str) -> bool:
        for _ in range(len(self._connections)):
            if not self._connections:
                return False
            self._next = (self._next + 1) % len(self._connections)
            connection = self._connections[self._next]
            try:
                await connection.ws.send_str(frame)
            except ConnectionError:
                self._drop(connection)
                continue
            envelope.connection = connection.id
            return True
        return False

    def cut(self) -> None:
        """Drop all connections without a close frame, as a broken network does."""
        for connection in tuple(self._connections):
            if connection.request.transport is not None:
                connection.request.transport.abort()
            self._drop(connection)

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask the app to reconnect (``warning``, ``refresh_requested``, ``link_disabled``) as Slack does.

        After a ``warning`` the connection stays; after the others Slack closes it.
        """
        for connection in tuple(self._connections):
            with contextlib.suppress(ConnectionError):
                await connection.ws.send_json(_disconnect(reason))
                if reason != "warning":
                    self._drop(connection)
                    await connection.ws.close(code=1000)

    async def close(self) -> None:
        """Close all connections at the end."""
        for connection in tuple(self._connections):
            with contextlib.suppress(ConnectionError, asyncio.TimeoutError):
                async with asyncio.timeout(1):
                    await connection.ws.close(code=1001)


def _frame(envelope: Envelope) -> Json:
    frame: Json = {
        "envelope_id": envelope.id,
        "type": envelope.type,
        "payload": envelope.payload,
        "accepts_response_payload": envelope.type != "events_api",
    }
    if envelope.type == "events_api":
        frame |= {"retry_attempt": envelope.retry_attempt, "retry_reason": envelope.retry_reason}
    return frame


def _disconnect(reason: str) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-sandbox"}}
