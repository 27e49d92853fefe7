"""Redacting 4 MB of an ordinary log compared with hashing it, and the growth with a hostile line."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from bot.domain.core.redact import KnownValues, redact
from tests.benchmarks.common import Row
from tests.ordinary_log import lines

SIZE = 4_000_000
LIMIT = 0.5
"""Seconds for 4 MB."""
HOSTILE = ("eyJ-", "key=", "docker login pass:hunter22 ", "://a:&key=Ab1Ab1Ab1Ab1Ab1Ab1&", "\\u0026", "\x9d")
VALUES = [hashlib.sha256(b"%d" % number).hexdigest()[: 12 + number] + "&/" for number in range(50)]


async def measure() -> list[Row]:
    """The best of three each, in CPU seconds, since the machine has other load."""
    once = lines(10_000)
    length = sum(map(len, once)) + len(once)
    log = (once * (SIZE // length + 1))[: int(len(once) * SIZE / length)]
    whole = "\n".join(log).encode()
    known = KnownValues(VALUES)
    plain = _best(lambda: hashlib.sha256(whole))
    shapes, values = _best(lambda: redact(log)), _best(lambda: redact(log, known))
    return [
        Row("redacting 4 MB, seconds", shapes, LIMIT, f"{shapes / plain:.0f} times what SHA-256 takes"),
        Row("and with 50 known values vs without", values / shapes, 2.0, f"{values:.2f} s"),
        _growth(),
    ]


def _growth() -> Row:
    worst = max((_doubled(piece), piece) for piece in HOSTILE)
    return Row("a hostile line of 128 kB vs one of 64 kB", worst[0], 3.0, f"worst: {worst[1]!r} again and again")


def _doubled(piece: str) -> float:
    short, long = (piece * (size // len(piece)) for size in (64_000, 128_000))
    return _best(lambda: redact([long])) / _best(lambda: redact([short]))


def _best(work: Callable[[], object]) -> float:
    took = []
    for _ in range(3):
        started = time.process_time()
        work()
        took.append(time.process_time() - started)
    return min(took)
