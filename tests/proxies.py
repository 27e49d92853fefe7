"""An HTTP proxy and a SOCKS 5 proxy: real servers, which record the connections made through them.

Only they can resolve names in ``.test``, to this machine: a request that reaches such a name went through one of
them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from types import TracebackType
from typing import Self


class _Proxy:
    """What both proxies have in common."""

    scheme = ""

    def __init__(self, user: str = "", password: str = "") -> None:
        self.seen: list[str] = []
        """The destination of each connection: ``host:port``."""
        self.user, self.password = user, password
        self.refuses = False
        self.hangs = False
        """Whether it accepts connections but never answers."""
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        who = f"{self.user}:{self.password}@" if self.user else ""
        return f"{self.scheme}://{who}{self.address}"

    @property
    def hosts(self) -> set[str]:
        return {place.rpartition(":")[0] for place in self.seen}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await (self._hang() if self.hangs else self._serve(reader, writer))
        finally:
            writer.close()

    async def _hang(self) -> None:
        await asyncio.Event().wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def _reach(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.seen.append(f"{host}:{port}")
        return await asyncio.open_connection("127.0.0.1" if host.endswith(".test") else host, port)


class HttpProxy(_Proxy):
    """Tunnels with CONNECT, and passes on requests for http addresses."""

    scheme = "http"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        if self.refuses or (self.user and not self._known(head)):
            status = "403 Forbidden" if self.refuses else "407 Proxy Authentication Required"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            return
        place = target if method == "CONNECT" else target.split("/")[2]
        host, _, port = place.rpartition(":")
        there, to_there = await self._reach(host, int(port))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            lines = [line for line in head.split("\r\n") if not line.lower().startswith("proxy-")]
            to_there.write("\r\n".join(lines).replace(f"http://{place}", "", 1).encode("latin-1"))
        await _pipe((reader, writer), (there, to_there))

    def _known(self, head: str) -> bool:
        wanted = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return f"proxy-authorization: basic {wanted}".lower() in head.lower()


class SocksProxy(_Proxy):
    """SOCKS 5 (RFC 1928, 1929) as far as clients use it: CONNECT, with or without a password."""

    scheme = "socks5"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        method = 2 if self.user else 0
        if method not in methods:
            writer.write(b"\x05\xff")
            return
        writer.write(bytes([5, method]))
        if self.user:
            _, length = await reader.readexactly(2)
            user = await reader.readexactly(length)
            password = await reader.readexactly((await reader.readexactly(1))[0])
            good = (user.decode(), password.decode()) == (self.user, self.password)
            writer.write(b"\x01\x00" if good else b"\x01\x01")
            if not good:
                return
        *_, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            raw = await reader.readexactly(4 if kind == 1 else 16)
            host = ".".join(map(str, raw)) if kind == 1 else raw.hex(":", 2)
        port = int.from_bytes(await reader.readexactly(2), "big")
        if self.refuses:
            writer.write(b"\x05\x02\x00\x01" + bytes(6))
            return
        there = await self._reach(host, port)
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await _pipe((reader, writer), there)


End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _pipe(one: End, other: End) -> None:
    """Copy in both directions until either end closes."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(64 * 1024):
            writer.write(data)
            await writer.drain()

    ways = [asyncio.ensure_future(carry(one[0], other[1])), asyncio.ensure_future(carry(other[0], one[1]))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        other[1].close()
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
