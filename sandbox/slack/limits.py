"""Slack's rate limits, by method and workspace, as token buckets on the workspace's clock.

Slack documents tiers 1–4 as 1/20/50/100 calls a minute with "some tolerance for bursts", and
chat.postMessage as about one a second a channel with short bursts; the exact tolerances are not published.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """``per_minute`` calls in the long run, up to ``burst`` at once."""

    per_minute: float
    burst: int


TIERS = {1: Rate(1, 5), 2: Rate(20, 20), 3: Rate(50, 50), 4: Rate(100, 100)}
POST_PER_CHANNEL = Rate(60, 10)
POST_PER_WORKSPACE = Rate(300, 300)


class RateLimiter:
    """Token buckets by key."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` gives seconds."""
        self._clock = clock
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, method: str, scope: str, rate: Rate) -> int:
        """Count one call; returns 0 if it may pass, else the whole seconds until a retry."""
        now = self._clock()
        per_second = rate.per_minute / 60
        tokens, last = self._buckets.get((method, scope), (float(rate.burst), now))
        tokens = min(rate.burst, tokens + max(0.0, now - last) * per_second)
        if tokens >= 1:
            self._buckets[method, scope] = (tokens - 1, now)
            return 0
        self._buckets[method, scope] = (tokens, now)
        return max(1, math.ceil((1 - tokens) / per_second))

    def clear(self) -> None:
        """Forget all calls."""
        self._buckets.clear()
