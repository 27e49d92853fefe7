"""A real server for tests as a process of its own: started, waited for, ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp

READY_SECONDS = 20.0


@asynccontextmanager
async def serving(command: Sequence[str], ready: str, folder: str) -> AsyncIterator[None]:
    """Run a command in a folder while ``ready``, a URL of its server, answers 200.

    Raises TimeoutError if it doesn't within `READY_SECONDS`.
    """
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=nowhere, stderr=nowhere)
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not await _answers(ready):  # noqa: ASYNC110 - another process can't set an event
                await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        await process.wait()


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
