"""A listening socket that can refuse connections and come back on the same port."""

from __future__ import annotations

import socket
import ssl

from aiohttp import web


class Listener:
    """Serves an aiohttp application on 127.0.0.1.

    A second socket, bound but not listening, keeps the port while the server refuses.
    """

    def __init__(self, app: web.Application, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Serve ``app``; port 0 takes a free one; with ``tls`` over HTTPS."""
        self._app = app
        self._wanted = port
        self.tls = tls
        self._runner: web.AppRunner | None = None
        self._site: web.SockSite | None = None
        self._reserved: socket.socket | None = None
        self.port = 0

    @property
    def refusing(self) -> bool:
        """Whether connections are refused now."""
        return self._site is None

    @property
    def url(self) -> str:
        """The base address."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Take the port and listen. Raises OSError when the port is taken."""
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        self._reserved = bound_socket(self._wanted)
        self.port = self._reserved.getsockname()[1]
        await self.accept()

    async def accept(self) -> None:
        """Listen again after :meth:`refuse`."""
        if self._site is None and self._runner is not None:
            self._site = web.SockSite(self._runner, bound_socket(self.port), ssl_context=self.tls)
            await self._site.start()

    async def refuse(self) -> None:
        """Close the listening socket and every open connection."""
        if self._site is not None:
            site, self._site = self._site, None
            await site.stop()
            self.cut()

    def cut(self) -> None:
        """Close every open connection; new ones are accepted."""
        server = self._runner.server if self._runner else None
        for connection in list(server.connections) if server else []:
            transport = connection.transport
            if transport is not None:
                transport.abort()

    async def stop(self) -> None:
        """Stop for good."""
        await self.refuse()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._reserved is not None:
            self._reserved.close()


def bound_socket(port: int) -> socket.socket:
    """A TCP socket bound to 127.0.0.1, which can share its port with sockets that don't listen."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock
