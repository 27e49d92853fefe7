"""A web server's connections, limited in number and in time: who sends a request slowly holds nothing up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

MOST = 100
"""Connections at once. The oldest of those that have not sent a whole request makes room for a new one."""
PATIENCE = 10.0
"""Seconds in which a whole request must have come, counted from the connection's beginning or the last answer."""


class Gate:
    """Lets connections in. ``protocol`` makes the server's own protocol for each."""

    def __init__(
        self, protocol: Callable[[], asyncio.Protocol], most: int = MOST, patience: float = PATIENCE
    ) -> None:
        """Nobody is there yet. ``patience`` in seconds."""
        self._protocol, self._most, self._patience = protocol, most, patience
        self._guests: dict[asyncio.BaseTransport, _Guest] = {}

    def __call__(self) -> asyncio.Protocol:
        """The protocol of one connection, for `loop.create_server`."""
        return _Guest(self, self._protocol())

    def __len__(self) -> int:
        """How many are there."""
        return len(self._guests)

    def came(self, guest: _Guest, transport: asyncio.BaseTransport) -> None:
        """A connection was made: it waits for its request."""
        if len(self._guests) >= self._most:
            waiting = next((t for t, g in self._guests.items() if g.waits), None)
            cast("asyncio.Transport", waiting or transport).abort()
            if waiting is None:
                return
        self._guests[transport] = guest
        guest.expect(self._patience)

    def left(self, transport: asyncio.BaseTransport) -> None:
        """A connection has ended."""
        self._guests.pop(transport, None)

    def whole(self, transport: asyncio.BaseTransport | None) -> None:
        """Its request has come: it is worked on, and may take its time."""
        if transport is not None and (guest := self._guests.get(transport)) is not None:
            guest.served()

    def answered(self, transport: asyncio.BaseTransport | None) -> None:
        """It has its answer, and may send another request."""
        if transport is not None and (guest := self._guests.get(transport)) is not None:
            guest.expect(self._patience)


class _Guest(asyncio.Protocol):
    """One connection: passes everything on, and hangs up when its time is over."""

    def __init__(self, gate: Gate, inner: asyncio.Protocol) -> None:
        self._gate, self._inner = gate, inner
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        """Whether its request has not come yet."""
        return self._timer is not None

    def expect(self, seconds: float) -> None:
        """A whole request has to come within so many seconds."""
        self.served()
        assert self._transport is not None  # noqa: S101 - set when the connection was made
        self._timer = asyncio.get_running_loop().call_later(seconds, self._transport.abort)

    def served(self) -> None:
        """Nothing is expected of it."""
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
