"""The servers behind the pod's two services: an SSH server's banner and VibeKanban's web page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from aiohttp import web

from sandbox.breaks import Break
from sandbox.cluster.faults import toggle
from sandbox.cluster.listener import Listener, bound_socket

SshMode = Literal["", "refuses", "hangs", "wrong-banner"]
KanbanMode = Literal["", "down", "502", "hangs"]
BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7\r\n"
WRONG_BANNER = b"HTTP/1.1 400 Bad Request\r\n\r\n"
PAGE = "<!doctype html>\n<html><head><title>vibe-kanban</title></head><body><div id='root'></div></body></html>\n"


class SshEndpoint:
    """Sends an SSH identification line to every client. ``latency`` is the seconds before it."""

    def __init__(self, port: int = 0) -> None:
        """Not yet started; port 0 takes a free one."""
        self.mode: SshMode = ""
        self.gone = False
        self.latency = 0.0
        self._reserved = bound_socket(port)
        self.port: int = self._reserved.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def set_mode(self, mode: SshMode) -> None:
        """Answer normally (empty), or fail as one of :data:`SshMode`."""
        self.mode = mode
        await self._follow()

    async def set_gone(self, gone: bool) -> None:
        """Close the port, since the process behind it is gone, or open it again."""
        self.gone = gone
        await self._follow()

    async def _follow(self) -> None:
        await (self._refuse() if self.gone or self.mode == "refuses" else self._accept())

    async def start(self) -> None:
        """Listen."""
        await self._accept()

    async def stop(self) -> None:
        """Close everything."""
        await self._refuse()
        self._reserved.close()

    async def _accept(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, sock=bound_socket(self.port))

    async def _refuse(self) -> None:
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
            for writer in list(self._open):
                writer.transport.abort()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await asyncio.sleep(self.latency)
            if self.mode != "hangs":
                writer.write(WRONG_BANNER if self.mode == "wrong-banner" else BANNER)
                await writer.drain()
            await reader.read()  # until the client hangs up
        except ConnectionError:
            return  # cut by the client, or by the switch to "refuses"
        finally:
            self._open.discard(writer)
            writer.close()


class KanbanEndpoint:
    """Answers HTTP with VibeKanban's page. ``latency`` is the seconds before each answer."""

    def __init__(self, port: int = 0) -> None:
        """Not yet started; port 0 takes a free one."""
        self.mode: KanbanMode = ""
        self.gone = False
        self.latency = 0.0
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self.listener = Listener(app, port)

    @property
    def url(self) -> str:
        """The page's address."""
        return self.listener.url

    @property
    def port(self) -> int:
        """The port; 0 before :meth:`start`."""
        return self.listener.port

    async def set_mode(self, mode: KanbanMode) -> None:
        """Answer normally (empty), or fail as one of :data:`KanbanMode`."""
        self.mode = mode
        await self._follow()

    async def set_gone(self, gone: bool) -> None:
        """Close the port, since the process behind it is gone, or open it again."""
        self.gone = gone
        await self._follow()

    async def _follow(self) -> None:
        await (self.listener.refuse() if self.gone or self.mode == "down" else self.listener.accept())

    async def _answer(self, _request: web.Request) -> web.Response:
        if self.mode == "hangs":
            await asyncio.Event().wait()
        await asyncio.sleep(self.latency)
        if self.mode == "502":
            return web.Response(status=502, text="Bad Gateway")
        return web.Response(text=PAGE, content_type="text/html")


class Endpoints:
    """Both servers, with their faults. Use it as ``async with Endpoints() as endpoints``."""

    def __init__(
        self, *, ssh_port: int = 0, kanban_port: int = 0, page: Callable[[KanbanMode], None] = lambda _: None
    ) -> None:
        """Not yet started; port 0 takes a free one. ``page`` is called with how VibeKanban fails from now on."""
        self._page = page
        self.ssh = SshEndpoint(ssh_port)
        self.kanban = KanbanEndpoint(kanban_port)
        self.breaks: list[Break] = [
            self._ssh("ssh-refuses", "refuses", "SSH refuses", "connections are refused"),
            self._ssh("ssh-hangs", "hangs", "SSH hangs", "it connects and sends no banner"),
            self._ssh("ssh-wrong-banner", "wrong-banner", "SSH is something else", "the banner is not SSH's"),
            self._kanban("kanban-down", "down", "VibeKanban is down", "connections are refused"),
            self._kanban("kanban-502", "502", "VibeKanban answers 502", "Bad Gateway"),
            self._kanban("kanban-hangs", "hangs", "VibeKanban hangs", "requests get no answer"),
        ]

    async def start(self) -> None:
        """Listen."""
        await self.ssh.start()
        await self.kanban.listener.start()

    async def stop(self) -> None:
        """Close everything."""
        await self.ssh.stop()
        await self.kanban.listener.stop()

    async def follow(self, *, up: bool, gone: str) -> None:
        """Close both ports while the pod's container is not ``up``, else that of the process that is ``gone``."""
        await self.ssh.set_gone(not up or gone == "sshd")
        await self.kanban.set_gone(not up or gone == "vibe-kanban")

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    def _ssh(self, id_: str, mode: SshMode, label: str, help_: str) -> Break:
        async def apply(on: bool) -> None:
            if on or self.ssh.mode == mode:
                await self.ssh.set_mode(mode if on else "")

        return toggle(id_, "Network", (label, help_), lambda: self.ssh.mode == mode, apply)

    def _kanban(self, id_: str, mode: KanbanMode, label: str, help_: str) -> Break:
        async def apply(on: bool) -> None:
            if on or self.kanban.mode == mode:
                await self.kanban.set_mode(mode if on else "")
                self._page(self.kanban.mode)

        return toggle(id_, "Network", (label, help_), lambda: self.kanban.mode == mode, apply)
