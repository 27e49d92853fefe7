"""The first line of a server of any protocol, or of one that waits to be spoken to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from bot.adapters.network import OutsideNetwork
from bot.errors import Transient


@asynccontextmanager
async def server(*parts: bytes, stays: bool) -> AsyncIterator[int]:
    """A server that sends these parts, then hangs up, or stays until its client does."""
    ended = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
            if stays:
                await reader.read()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as found:
        yield found.sockets[0].getsockname()[1]
        await ended.wait()


@pytest.mark.parametrize(
    ("parts", "stays", "line"),
    [
        ((b"220 mail ESMTP\r\n250 more\r\n",), True, "220 mail ESMTP"),
        ((b"\r\n220 ma", b"il\r\n"), True, "220 mail"),
        ((b"SSH-2.0-OpenSSH_9.2p1\r\n",), True, "SSH-2.0-OpenSSH_9.2p1"),
        ((b"+OK",), False, "+OK"),
        ((b"J\x00\x00\x00\n8.0.36",), True, "J���"),
        ((b"x" * 5_000,), True, "x" * 255),
        ((), False, ""),
    ],
)
async def test_the_greeting_is_the_first_line_of_any_protocol(
    parts: tuple[bytes, ...], stays: bool, line: str
) -> None:
    async with server(*parts, stays=stays) as port:
        assert await OutsideNetwork(30.0).greeting("127.0.0.1", port, 30.0) == line


async def test_a_server_that_waits_to_be_spoken_to_has_no_greeting() -> None:
    async with server(stays=True) as port:
        assert await OutsideNetwork(30.0).greeting("127.0.0.1", port, 0.2) == ""


async def test_a_greeting_of_nobody_is_an_error() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(Transient, match="connection refused"):
        await OutsideNetwork(30.0).greeting("127.0.0.1", port, 0.2)
