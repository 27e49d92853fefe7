"""A real Pushgateway for tests: Debian's, on a free port, with pushes like the handbook's script."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sandbox.environment import free_port
from tests.server_process import serving


def binary() -> str:
    """The path of the binary. Raises FileNotFoundError with what to install."""
    if found := shutil.which("prometheus-pushgateway"):
        return found
    raise FileNotFoundError("no Pushgateway: apt install prometheus-pushgateway")


@asynccontextmanager
async def real_pushgateway() -> AsyncIterator[str]:
    """Run an empty gateway, which keeps its groups in memory only; yields its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    # Debian's default for the file is one of the system, which persists.
    command = [binary(), f"--web.listen-address={url.removeprefix('http://')}", "--persistence.file="]
    with tempfile.TemporaryDirectory(prefix="agentpod-pushgateway-") as folder:
        async with serving(command, f"{url}/-/ready", folder):
            yield url


async def push(url: str, *jobs: str) -> None:
    """Push a heartbeat of each job with curl. Raises RuntimeError if the gateway refuses it."""
    each = [["--data-binary", "", f"{url}/metrics/job/{job}"] for job in jobs]
    words = [word for one in each for word in ("--next", "--fail", "--silent", "--show-error", *one)][1:]
    curl = await asyncio.create_subprocess_exec("curl", *words, stderr=asyncio.subprocess.PIPE)
    _, said = await curl.communicate()
    if curl.returncode != 0:
        raise RuntimeError(f"curl: {said.decode()}")
