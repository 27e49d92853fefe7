"""The Network adapter against small servers on this machine."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.adapters.network import OutsideNetwork
from bot.errors import AgentpodError, Permanent, TimedOut, Transient

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def network() -> AsyncIterator[OutsideNetwork]:
    found = OutsideNetwork(timeout=0.5)
    yield found
    await found.close()


@asynccontextmanager
async def serving(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


def says(*parts: bytes) -> Talk:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return talk


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "parts",
    [
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",),
        (b"SSH-2.0-Open", b"SSH_9.2p1 Debian-2\r\n"),
        (b"Welcome to the pod\r\n", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\nmore"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2",),
    ],
)
async def test_the_banner_is_the_line_that_identifies_ssh(
    network: OutsideNetwork, parts: tuple[bytes, ...]
) -> None:
    async with serving(says(*parts)) as port:
        assert await network.banner("127.0.0.1", port) == "SSH-2.0-OpenSSH_9.2p1 Debian-2"


@pytest.mark.parametrize(
    ("talk", "expected", "words"),
    [
        (says(b"HTTP/1.1 400\r\n\r\n"), Permanent, "answered “HTTP/1.1 400” instead of an SSH banner"),
        (says(b"\x16\x03\x01\xff\n"), Permanent, "instead of an SSH banner"),
        (says(b"x" * 100_000), Permanent, "answered “x{80}” instead of an SSH banner"),
        (says(*[b"line\n"] * 5000), Permanent, "answered “line” instead"),
        (says(), Transient, "closed before an SSH banner"),
        (silent, TimedOut, r"^no answer in 0\.5 s$"),
    ],
)
async def test_an_invalid_banner_is_explained(
    network: OutsideNetwork, talk: Talk, expected: type[AgentpodError], words: str
) -> None:
    async with serving(talk) as port:
        with pytest.raises(expected, match=words):
            await network.banner("127.0.0.1", port)


async def test_connecting_is_enough_to_succeed(network: OutsideNetwork) -> None:
    async with serving(silent) as port:
        await network.connect("127.0.0.1", port)


async def test_a_refused_connection_is_named_as_the_cause(network: OutsideNetwork, closed_port: int) -> None:
    calls = (
        network.connect("127.0.0.1", closed_port),
        network.banner("127.0.0.1", closed_port),
        network.http_status(f"http://127.0.0.1:{closed_port}/"),
    )
    for call in calls:
        with pytest.raises(Transient, match=r"^connection refused$"):
            await call


async def test_the_reason_does_not_repeat_the_address(
    network: OutsideNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(*_: object, **__: object) -> None:
        raise OSError(errno.EHOSTUNREACH, "No route to host")

    monkeypatch.setattr(asyncio, "open_connection", unreachable)
    for call in (network.connect("192.0.2.1", 22), network.banner("192.0.2.1", 22)):
        with pytest.raises(Transient, match=r"^no route to host$"):
            await call


async def test_an_unresolvable_name_is_named_as_the_cause(closed_port: int) -> None:
    patient = OutsideNetwork(timeout=10.0)
    for call in (
        patient.connect("no-such-host.invalid", 1),
        patient.banner("no-such-host.invalid", 1),
        patient.http_status("http://no-such-host.invalid/"),
    ):
        with pytest.raises(Transient, match=r"^the name no-such-host\.invalid does not resolve$"):
            await call
    with pytest.raises(Transient, match="does not resolve"):
        await patient.connect("x" * 300, 1)
    await patient.close()


@pytest.mark.parametrize("code", [200, 204, 302, 404, 503])
async def test_the_status_is_returned_and_redirects_are_not_followed(network: OutsideNetwork, code: int) -> None:
    answer = f"HTTP/1.1 {code} X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".encode()
    async with serving(says(answer)) as port:
        assert await network.http_status(f"http://127.0.0.1:{port}/") == code


async def test_the_body_is_not_waited_for(network: OutsideNetwork) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        await reader.read()

    async with serving(talk) as port:
        assert await network.http_status(f"http://127.0.0.1:{port}/") == 200


@pytest.mark.parametrize(
    ("talk", "expected", "words"),
    [
        (silent, TimedOut, r"^no answer in 0\.5 s$"),
        (says(b"SSH-2.0-x\r\n"), Transient, "not HTTP, or was cut short"),
        (says(), Transient, "not HTTP, or was cut short"),
    ],
)
async def test_an_answer_that_is_not_http_is_explained(
    network: OutsideNetwork, talk: Talk, expected: type[AgentpodError], words: str
) -> None:
    async with serving(talk) as port:
        with pytest.raises(expected, match=words):
            await network.http_status(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "no address", "http://", "http://[::1", "http://a:b:c/"])
async def test_a_wrong_address_is_permanent(network: OutsideNetwork, url: str) -> None:
    with pytest.raises(Permanent, match="no http or https address"):
        await network.http_status(url)


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=x"
    subprocess.run([*words.split(), "-keyout", "k", "-out", "c"], cwd=tmp_path, check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "c", tmp_path / "k")
    return tls


async def test_a_tls_failure_is_explained(self_signed: ssl.SSLContext) -> None:
    patient = OutsideNetwork(timeout=5.0)
    async with serving(silent, self_signed) as port:
        with pytest.raises(Permanent, match="TLS failed: the certificate is not trusted"):
            await patient.http_status(f"https://127.0.0.1:{port}/")
    async with serving(says(b"plain text\r\n")) as port:
        with pytest.raises(Permanent, match="TLS failed: "):
            await patient.http_status(f"https://127.0.0.1:{port}/")
    await patient.close()


def test_httpx_is_loaded_at_the_first_request_only() -> None:
    program = "import sys, bot.adapters.network, bot.adapters.pushgateway; print('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
