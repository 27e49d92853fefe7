"""The cost of hostile process lists: doubling a list should only about double the time to read it."""

from __future__ import annotations

import time

from bot.domain.core.bounds import bounded
from bot.domain.core.target import ContainerTarget
from bot.domain.core.workload import ExecResult
from bot.domain.health.judge_processes import scan
from tests.benchmarks.common import Row

ROUNDS = 7
WORDS = ("1 ", "1.", "sudo ", "a=b ", "node -x ", "{", "/", "- ", "\u2028")
"""Pieces of hostile argument lists."""


async def measure() -> list[Row]:
    """Compare a doubled hostile list with the list, for the piece that grows most, and with a usual list."""
    ratios = {word: min(_ratio(word) for _ in range(3)) for word in WORDS}
    worst = max(ratios, key=lambda word: ratios[word])
    usual = _seconds("".join(f"{n} claude 01:00 node /home/claude/x-{n}.js\n" for n in range(500)))
    hostile = max(_seconds(_list(word, 8)) for word in WORDS)
    longest = f"{hostile * 1000:.1f} ms beside {usual * 1000:.1f} ms for 500 ordinary processes"
    return [
        Row("hostile list doubled", ratios[worst], 3.0, f"worst of {len(WORDS)} shapes: {worst!r}"),
        Row("hostile list vs ordinary", hostile / usual, 2.0, longest),
    ]


def _ratio(word: str) -> float:
    return _seconds(_list(word, 8)) / _seconds(_list(word, 4))


def _list(word: str, processes: int) -> str:
    """That many processes with 120,000 characters of arguments each."""
    arguments = word * (120_000 // len(word))
    return "".join(f"{n} claude 01:00 {arguments}x\n" for n in range(processes))


def _seconds(rows: str) -> float:
    """Seconds of the fastest of several reads."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        text = bounded(f"PID USER ELAPSED COMMAND\n{rows}")
        scan(ContainerTarget(), ExecResult(text.text, "", 0, not text.whole))
        taken.append(time.perf_counter() - began)
    return min(taken)
