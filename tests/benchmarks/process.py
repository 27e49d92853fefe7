"""Start to ready, and resident memory, beside the bare stack's; and what an idle bot uses of the processor."""

from __future__ import annotations

import asyncio
import time

import aiohttp

from bot.app import SETTLE_SECONDS
from sandbox.environment import Sandbox
from tests.benchmarks.acks import load
from tests.benchmarks.common import Row, cpu_seconds, python, resident_mib, until_ready

ROUNDS = 7
COMMANDS = 10_000
IDLE = 40.0
"""Seconds over which an idle bot is looked at: all its watchers look several times meanwhile."""


async def measure() -> list[Row]:
    """Start, what an idle bot uses, and growth after 10,000 commands."""
    return [await _start(), *await _resources()]


async def _start() -> Row:
    """The best of several starts, interleaved so that load on the machine affects both."""
    bare: list[float] = []
    ours: list[float] = []
    async with Sandbox(rate_limits=False) as sandbox, aiohttp.ClientSession() as session:
        for _ in range(ROUNDS):
            bare.append(await _import_seconds())
            bot = sandbox.bot()
            started = time.perf_counter()
            await bot.start()
            await until_ready(session, f"{bot.ops_url}/readyz")
            ours.append(time.perf_counter() - started)
            await bot.stop()
    detail = (
        f"{min(ours) * 1000:.0f} ms to ready beside {min(bare) * 1000:.0f} ms of bare imports, best of {ROUNDS}"
    )
    return Row("start to ready vs bare imports", min(ours) / min(bare), 1.3, detail)


async def _import_seconds() -> float:
    started = time.perf_counter()
    async with python("-m", "tests.benchmarks.bare", "import") as process:
        await process.wait()
    return time.perf_counter() - started


async def _resources() -> list[Row]:
    async with python("-m", "tests.benchmarks.bare", "idle") as process:
        assert process.stdout is not None
        await process.stdout.readline()
        bare = resident_mib(process.pid)
    async with Sandbox(rate_limits=False, settings={"log": {"level": "warning"}}) as sandbox:
        bot = await sandbox.start_bot()
        await asyncio.sleep(SETTLE_SECONDS + 1)  # the watchers have started
        await _settled(bot.pid)
        idle = resident_mib(bot.pid)
        before = cpu_seconds(bot.pid)
        await asyncio.sleep(IDLE)
        cpu = cpu_seconds(bot.pid) - before
        await load(sandbox.workspace, COMMANDS, answered=True)
        await _settled(bot.pid)
        after = resident_mib(bot.pid)
    return [
        Row("idle CPU (% of a core)", cpu / IDLE * 100, 0.2, f"{cpu * 1000:.0f} ms in {IDLE:.0f} s"),
        Row("idle memory vs bare stack", idle / bare, 1.15, f"{idle:.1f} MiB beside {bare:.1f} MiB"),
        Row("memory grown by 10,000 commands (MiB)", after - idle, 5.0, f"{idle:.1f} to {after:.1f} MiB"),
    ]


async def _settled(pid: int) -> None:
    """Until resident memory has stood still for a second."""
    last, still = resident_mib(pid), 0
    for _ in range(200):
        await asyncio.sleep(0.1)
        now = resident_mib(pid)
        still = still + 1 if abs(now - last) < 0.05 else 0
        last = now
        if still >= 10:
            return
