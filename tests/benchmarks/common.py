"""Helpers of the benchmarks: rows, quantiles, processes and their memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Row:
    """One comparison: it holds if ``value`` ≤ ``limit``."""

    name: str
    value: float
    limit: float
    detail: str

    @property
    def holds(self) -> bool:
        """Whether the measured value is within its limit."""
        return self.value <= self.limit


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of them lie (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def plain_env(**more: str) -> dict[str, str]:
    """This environment, with compiled modules kept as on any ordinary machine."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE" and not k.startswith("AGENTPOD_")}
    return env | {"PYTHONPATH": str(ROOT)} | more


def resident_mib(pid: int) -> float:
    """Resident memory of a process now, in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds(pid: int) -> float:
    """What a process's threads have used of the processor: /proc/PID/stat counts it in steps of 10 ms only."""
    return sum(int(stat.read_text().split()[0]) for stat in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


@contextlib.asynccontextmanager
async def python(*words: str, env: dict[str, str] | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python process that is ended with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, env=env or plain_env(), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def until_ready(session: aiohttp.ClientSession, url: str, deadline: float = 30.0) -> None:
    """Poll ``url`` every 4 ms until it answers 200. Raises TimeoutError after ``deadline`` seconds."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        with contextlib.suppress(aiohttp.ClientError):
            async with session.get(url) as answer:
                if answer.status == 200:
                    return
        await asyncio.sleep(0.004)
    raise TimeoutError(f"{url} was not ready within {deadline} s")
