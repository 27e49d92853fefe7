"""A runbook's checks and diagnoses: how soon they are ready, and what they add to the slowest read."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from statistics import median

from bot.adapters.cel import CelExpressions
from bot.domain.runbook.kind import FactUse
from bot.runbook.context import Caller, Context
from bot.runbook.file.compiled import CompiledRunbook, compile_runbook
from bot.runbook.file.loader import read
from bot.services.health.reads import reads_for
from bot.services.runbook import diagnosing
from bot.services.runbook.read_facts import read_facts
from bot.settings.loader import load
from bot.wiring.parts import Parts
from sandbox.environment import Sandbox
from tests.benchmarks.common import Row
from tests.benchmarks.status import TERMINAL, slow_down, slowest_probe, status_seconds
from tests.scenarios.talk import World

CHECKS, CAUSES, ROUNDS = 200, 12, 7
COMMANDS = ("id", "hostname", "date", "whoami", "env")
"""Commands of the pretend pod; each fact is one of them, so that forty checks share it."""


async def measure() -> list[Row]:
    """All rows."""
    return [_ready(), await _status(), await _diagnosis()]


def text(checks: int, *, status: bool = False) -> str:
    """A runbook with so many checks."""
    lines = ["runbook: bench", "checks:"]
    for number in range(checks):
        command = COMMANDS[number % len(COMMANDS)]
        lines += [
            f"  check-{number}:",
            f"    title: Check {number}",
            f"    exec: {{command: [{command}]}}",
            f"    expect: exit_code == 0 && lines.all(l, size(l) > 0 && l != 'never {number}')",
            "    says: \"'lines: ' + string(size(lines))\"",
            f"    status: {str(status).lower()}",
        ]
    return "\n".join(lines)


def _ready() -> Row:
    """CPU seconds, the best of several, since the machine has other load."""
    took = []
    for _ in range(ROUNDS):
        started = time.process_time()
        compiled(text(CHECKS))
        took.append(time.process_time() - started)
    detail = f"parsed, type-checked and ready, best of {ROUNDS}, in CPU time"
    return Row(f"{CHECKS} checks of a runbook, seconds", min(took), 0.15, detail)


def compiled(source: str) -> CompiledRunbook:
    """Compile a runbook. Raises RuntimeError with its problems."""
    book, problems = compile_runbook(read(source, "bench.yaml"), CelExpressions())
    if book is None:
        raise RuntimeError("\n".join(map(str, problems)))
    return book


async def _status() -> Row:
    """`status` with many checks of the user's own, beside its slowest probe."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.yaml"
        file.write_text(text(CHECKS, status=True))
        target = {"runbook": ["secure-agent-pod", str(file)]}
        async with Sandbox(rate_limits=False, pod_seconds=0.0, target=target) as sandbox:
            world = World(sandbox, await sandbox.start_bot())
            await world.ask("status")  # first use loads modules and opens connections
            slow_down(sandbox)
            slowest = await slowest_probe(world)
            best = min(await status_seconds(world, "checks ok"))
    detail = f"{best * 1000:.0f} ms to the final answer in Slack, slowest probe {slowest * 1000:.0f} ms"
    return Row(f"status with {CHECKS} checks of a runbook vs its slowest probe", best / slowest, 1.3, detail)


def tree(causes: int) -> str:
    """A diagnosis of three facts with so many causes, none of which is there."""
    lines = ["runbook: bench", "diagnoses:", "  bench:", "    title: Bench"]
    lines += ["    facts: {pod: {pod: {}}, events: {events: {}}, log: {log: {}}}", "    causes:"]
    for number in range(causes):
        lines += [
            f"    - name: cause-{number}",
            f"      proof: (log.lines + pod.lines).filter(l, l.contains('cause {number}'))[0]",
            f"      says: \"'cause {number}'\"",
        ]
    return "\n".join(lines)


async def _diagnosis() -> Row:
    """Pairs in turn: all facts and causes, and the slowest of the facts alone."""
    [diagnosis] = compiled(tree(CAUSES)).diagnoses.values()
    pairs: list[tuple[float, float]] = []
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as sandbox:
        bot = await sandbox.start_bot()
        loaded = load(config=Path(bot.env["AGENTPOD_CONFIG"]), environ={})
        os.environ["KUBECONFIG"] = bot.env["KUBECONFIG"]
        parts = Parts.build(loaded.settings)
        try:
            await parts.clusters.connect()
            ctx = parts.context("agentpod")(None, Caller(TERMINAL, "terminal"), "bench", _ignore)
            await diagnosing.run(ctx, [diagnosis])  # opens connections
            slow_down(sandbox)
            for _ in range(ROUNDS):
                alone = max([await _alone(ctx, use) for use in diagnosis.facts.values()])
                started = time.perf_counter()
                await diagnosing.run(ctx, [diagnosis])
                pairs.append((time.perf_counter() - started, alone))
        finally:
            await parts.close()
    whole, slowest = (median(side) * 1000 for side in zip(*pairs, strict=True))
    detail = f"{whole:.0f} ms beside {slowest:.0f} ms, medians of {ROUNDS} pairs"
    return Row(
        f"diagnosis over {CAUSES} causes vs its slowest fact", median(a / b for a, b in pairs), 1.15, detail
    )


async def _alone(ctx: Context, use: FactUse) -> float:
    started = time.perf_counter()
    with reads_for(ctx, [10.0]) as [reads]:
        await read_facts(reads, {"one": use})
    return time.perf_counter() - started


async def _ignore(_: object) -> None:
    """Ignore partial answers."""
    await asyncio.sleep(0)
