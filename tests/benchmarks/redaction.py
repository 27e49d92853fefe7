"""Redacting 4 MB of an ordinary log compared with finding its words, and the growth with a hostile line."""

from __future__ import annotations

import hashlib
import re
import statistics
import time
from collections.abc import Callable, Sequence

from bot.domain.core.redact import KnownValues, redact
from tests.benchmarks.common import Row
from tests.ordinary_log import lines

SIZE = 4_000_000
LIMIT = 1.8
WORDS = re.compile(r"\w+")
HOSTILE = ("eyJ-", "key=", "docker login pass:hunter22 ", "://a:&key=Ab1Ab1Ab1Ab1Ab1Ab1&", "\\u0026", "\x9d")
VALUES = [hashlib.sha256(b"%d" % number).hexdigest()[: 12 + number] + "&/" for number in range(50)]


async def measure() -> list[Row]:
    """The medians of seven pairs taken in turn, in CPU seconds, since the machine has other load."""
    once = lines(10_000)
    length = sum(map(len, once)) + len(once)
    log = (once * (SIZE // length + 1))[: int(len(once) * SIZE / length)]
    known = KnownValues(VALUES)
    redact(log, known)  # compiles the patterns
    words, shapes, values = _in_turn(
        lambda: [WORDS.findall(line) for line in log], lambda: redact(log), lambda: redact(log, known)
    )
    least = f"{min(shapes):.2f} s at best"
    return [
        Row("redacting 4 MB vs finding its words with `re`", _ratio(shapes, words), LIMIT, least),
        Row("and with 50 known values vs without", _ratio(values, shapes), 2.0, f"{min(values):.2f} s at best"),
        _growth(),
    ]


def _in_turn(*works: Callable[[], object]) -> list[list[float]]:
    """For each work, the CPU seconds of its seven rounds."""
    rounds = [[_seconds(work) for work in works] for _ in range(7)]
    return [list(took) for took in zip(*rounds, strict=True)]


def _ratio(these: Sequence[float], those: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(these, those, strict=True))


def _growth() -> Row:
    worst = max((_doubled(piece), piece) for piece in HOSTILE)
    return Row("a hostile line of 128 kB vs one of 64 kB", worst[0], 3.0, f"worst: {worst[1]!r} again and again")


def _doubled(piece: str) -> float:
    short, long = (piece * (size // len(piece)) for size in (64_000, 128_000))
    return _best(lambda: redact([long])) / _best(lambda: redact([short]))


def _best(work: Callable[[], object]) -> float:
    return min(_seconds(work) for _ in range(3))


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
