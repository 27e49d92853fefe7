"""Limits a web server's connections in number and time, so that slow clients can't block others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

MOST = 100
"""Maximum connections. Beyond it, a new one replaces the oldest that has not sent a whole request."""
PATIENCE = 10.0
"""Seconds in which a whole request must arrive, counted from the connection's start or the last response."""


class Gate:
    """Accepts connections. ``protocol`` makes the server's own protocol for each."""

    def __init__(
        self, protocol: Callable[[], asyncio.Protocol], most: int = MOST, patience: float = PATIENCE
    ) -> None:
        """``most`` is the maximum number of connections; ``patience`` is in seconds."""
        self._protocol, self._most, self._patience = protocol, most, patience
        self._connections: dict[asyncio.BaseTransport, _Connection] = {}

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of one connection, for `loop.create_server`."""
        return _Connection(self, self._protocol())

    def __len__(self) -> int:
        """The number of open connections."""
        return len(self._connections)

    def came(self, connection: _Connection, transport: asyncio.BaseTransport) -> None:
        """Register a new connection and wait for its request; abort it if all others are being served."""
        if len(self._connections) >= self._most:
            waiting = next((t for t, g in self._connections.items() if g.waits), None)
            cast("asyncio.Transport", waiting or transport).abort()
            if waiting is None:
                return
        self._connections[transport] = connection
        connection.expect(self._patience)

    def left(self, transport: asyncio.BaseTransport) -> None:
        """Forget a connection that has ended."""
        self._connections.pop(transport, None)

    def whole(self, transport: asyncio.BaseTransport | None) -> None:
        """Stop a connection's timer: its whole request is there and is being handled."""
        if transport is not None and (connection := self._connections.get(transport)) is not None:
            connection.served()

    def answered(self, transport: asyncio.BaseTransport | None) -> None:
        """Restart a connection's timer: the response is sent, and another request may come."""
        if transport is not None and (connection := self._connections.get(transport)) is not None:
            connection.expect(self._patience)


class _Connection(asyncio.Protocol):
    """One connection: forwards everything to the server's protocol, and aborts when its timer expires."""

    def __init__(self, gate: Gate, inner: asyncio.Protocol) -> None:
        self._gate, self._inner = gate, inner
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        """Whether its request has not arrived yet."""
        return self._timer is not None

    def expect(self, seconds: float) -> None:
        """Start the timer in which a whole request must arrive."""
        self.served()
        assert self._transport is not None  # noqa: S101 - set when the connection was made
        self._timer = asyncio.get_running_loop().call_later(seconds, self._transport.abort)

    def served(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._inner.connection_made(transport)
        self._gate.came(self, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.served()
        if self._transport is not None:
            self._gate.left(self._transport)
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """See `asyncio.Protocol`."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._inner.resume_writing()
