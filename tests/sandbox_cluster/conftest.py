"""A pretend cluster that acts without delay, and the real kubectl as its client."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from sandbox.breaks import Breaks
from sandbox.cluster import PretendCluster
from sandbox.cluster.cluster import ADMIN_TOKEN

KUBECTL = Path(sys.executable).parent / "kubectl"


@dataclass(frozen=True)
class Answer:
    """A program's exit code and output."""

    code: int
    out: str
    err: str


Kubectl = Callable[..., Awaitable[Answer]]


@pytest.fixture
async def cluster() -> AsyncIterator[PretendCluster]:
    async with PretendCluster(speed=0) as one:
        yield one


@pytest.fixture
def breaks(cluster: PretendCluster) -> Breaks:
    return Breaks(cluster.breaks)


@pytest.fixture
def kubectl(cluster: PretendCluster, tmp_path: Path) -> Kubectl:
    files = {user: cluster.kubeconfig(tmp_path / user, user) for user in ("admin", "agentpod")}

    async def run(*words: str, user: str = "admin", stdin: bytes | None = None) -> Answer:
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            f"--kubeconfig={files[user]}",
            f"--cache-dir={tmp_path / 'cache'}",
            *words,
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(stdin), 30)
        return Answer(process.returncode or 0, out.decode(), err.decode())

    return run


@pytest.fixture
async def http(cluster: PretendCluster) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with aiohttp.ClientSession(cluster.url, headers=headers) as session:
        yield session
