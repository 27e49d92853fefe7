"""A real Pushgateway for tests: Debian's, on a free port, with pushes like the handbook's script."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from sandbox.environment import free_port

READY_SECONDS = 20.0


def binary() -> str:
    """The path of the binary. Raises FileNotFoundError with what to install."""
    if found := shutil.which("prometheus-pushgateway"):
        return found
    raise FileNotFoundError("no Pushgateway: apt install prometheus-pushgateway")


@asynccontextmanager
async def real_pushgateway() -> AsyncIterator[str]:
    """Run an empty gateway, which keeps its groups in memory only; yields its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory(prefix="agentpod-pushgateway-") as folder:
        process = await asyncio.create_subprocess_exec(
            binary(),
            f"--web.listen-address={url.removeprefix('http://')}",
            "--persistence.file=",  # Debian's default is a system file, which persists
            cwd=folder,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await _ready(url):  # noqa: ASYNC110 - another process can't set an event
                    await asyncio.sleep(0.05)
            yield url
        finally:
            process.terminate()
            await process.wait()


async def _ready(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/-/ready") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def push(url: str, *jobs: str) -> None:
    """Push a heartbeat of each job with curl. Raises RuntimeError if the gateway refuses it."""
    each = [["--data-binary", "", f"{url}/metrics/job/{job}"] for job in jobs]
    words = [word for one in each for word in ("--next", "--fail", "--silent", "--show-error", *one)][1:]
    curl = await asyncio.create_subprocess_exec("curl", *words, stderr=asyncio.subprocess.PIPE)
    _, said = await curl.communicate()
    if curl.returncode != 0:
        raise RuntimeError(f"curl: {said.decode()}")
