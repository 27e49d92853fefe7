"""The fact of a TCP server: connected once it accepts, whatever it says first, and also when that is nothing."""

from __future__ import annotations

import socket
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from bot.adapters.network import OutsideNetwork
from bot.domain.runbook.facts.tcp import KIND, Tcp
from bot.services.health.reads import Reads
from bot.services.runbook.readers import tcp
from tests.adapters.test_network_greeting import server

DEADLINE = timedelta(seconds=1)


def reads() -> Reads:
    ctx = SimpleNamespace(network=OutsideNetwork(30.0), probe_timeout=3.0)
    return cast("Reads", SimpleNamespace(ctx=ctx))


@pytest.mark.parametrize(
    ("says", "banner", "cited"),
    [
        (b"220 mail ESMTP\r\n", "220 mail ESMTP", ("220 mail ESMTP", "connected: true")),
        (b"SSH-2.0-x\r\n", "SSH-2.0-x", ("SSH-2.0-x", "connected: true")),
        (b"", "", ("connected: true", "banner: none")),
    ],
)
async def test_a_server_is_connected_whatever_it_says(says: bytes, banner: str, cited: tuple[str, ...]) -> None:
    async with server(*([says] if says else []), stays=True) as port:
        timeout = DEADLINE if not says else None
        settings = Tcp(host="127.0.0.1", port=port, banner=True, timeout=timeout)
        record = await tcp.read(reads(), settings)
    assert record.citable == cited
    assert KIND.values(record) == {"connected": True, "error": "", "banner": banner}
    assert settings.doubt(record) is None


async def test_a_server_that_refuses_is_not_connected() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    record = await tcp.read(reads(), Tcp(host="127.0.0.1", port=port, banner=True))
    assert record.outcome == {"connected": "false", "error": "connection refused"}
