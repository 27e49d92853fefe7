"""The SSH banner and VibeKanban's page, and their faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from sandbox.breaks import Breaks
from sandbox.endpoints import Endpoints


@pytest.fixture
async def endpoints() -> AsyncIterator[Endpoints]:
    async with Endpoints() as both:
        yield both


async def banner(endpoints: Endpoints) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoints.ssh.port)
    try:
        return await asyncio.wait_for(reader.readline(), 0.5)
    finally:
        writer.close()
        await writer.wait_closed()


async def status(endpoints: Endpoints) -> int:
    timeout = aiohttp.ClientTimeout(total=0.5)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(endpoints.kanban.url) as response:
        return response.status


async def test_without_faults_both_services_answer(endpoints):
    assert (await banner(endpoints)).startswith(b"SSH-2.0-OpenSSH_9.2p1")
    assert await status(endpoints) == 200


async def test_ssh_faults_show_until_healed(endpoints):
    breaks = Breaks(endpoints.breaks)
    await breaks.apply("ssh-wrong-banner", True)
    assert not (await banner(endpoints)).startswith(b"SSH-")
    await breaks.apply("ssh-hangs", True)
    with pytest.raises(TimeoutError):
        await banner(endpoints)
    await breaks.apply("ssh-refuses", True)
    with pytest.raises(ConnectionRefusedError):
        await banner(endpoints)
    await breaks.heal()
    assert (await banner(endpoints)).startswith(b"SSH-2.0-")


async def test_vibekanban_faults_show_until_healed(endpoints):
    breaks = Breaks(endpoints.breaks)
    await breaks.apply("kanban-502", True)
    assert await status(endpoints) == 502
    await breaks.apply("kanban-hangs", True)
    with pytest.raises(TimeoutError):
        await status(endpoints)
    await breaks.apply("kanban-down", True)
    with pytest.raises(aiohttp.ClientConnectorError):
        await status(endpoints)
    await breaks.heal()
    assert await status(endpoints) == 200


async def test_both_ports_are_closed_while_the_container_is_down(endpoints):
    await endpoints.follow(up=False, gone="")
    with pytest.raises(ConnectionRefusedError):
        await banner(endpoints)
    with pytest.raises(aiohttp.ClientConnectorError):
        await status(endpoints)
    await endpoints.follow(up=True, gone="vibe-kanban")
    assert (await banner(endpoints)).startswith(b"SSH-2.0")
    with pytest.raises(aiohttp.ClientConnectorError):
        await status(endpoints)
