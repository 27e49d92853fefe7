"""Closing a session ends all of its connections at once."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from bot.adapters.transport import sessions
from bot.adapters.transport.bodies import BodyRefused

PATIENCE = 5.0
"""Seconds within which a closed connection ends; asyncio waits 30 s for TLS's closing handshake."""


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=x"
    subprocess.run(
        [*words.split(), "-keyout", tmp_path / "k", "-out", tmp_path / "c"], check=True, capture_output=True
    )
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "c", tmp_path / "k")
    return tls


def send_and_await_end(listening: socket.socket, tls: ssl.SSLContext) -> None:
    """Send a long response, then answer nothing more. Raises TimeoutError if the connection does not end."""
    plain, _ = listening.accept()
    with plain, tls.wrap_socket(plain, server_side=True, suppress_ragged_eofs=True) as encrypted:
        encrypted.recv(65536)
        encrypted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 12_000)
        encrypted.settimeout(PATIENCE)
        bare = socket.socket(fileno=encrypted.detach())  # TLS would answer the closing handshake
        with bare:
            bare.settimeout(PATIENCE)
            try:
                while bare.recv(65536):
                    pass
            except ConnectionError:
                return


async def test_a_response_that_was_not_read_to_its_end_leaves_no_connection(tls: ssl.SSLContext) -> None:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(asyncio.to_thread(send_and_await_end, listening, tls))
        async with sessions.session(10_000, tls=trusting) as session:
            response = await session.get(f"https://127.0.0.1:{listening.getsockname()[1]}/")
            with pytest.raises(BodyRefused):
                await response.read()
        await serving
