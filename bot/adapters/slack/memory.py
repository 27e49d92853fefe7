"""Bounded in-memory stores: the requests seen recently, and the answers that can still be shared."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from bot.domain.core.reply import Reply


class SeenRequests:
    """The keys of recent requests, so that a redelivered one runs once. Bounded in number and age (seconds)."""

    def __init__(self, limit: int = 5000, ttl: float = 900, now: Callable[[], float] = time.monotonic) -> None:
        """Slack redelivers after 0, 60 and 300 s; ``ttl`` is longer than all of that."""
        self._limit, self._ttl, self._now = limit, ttl, now
        self._keys: OrderedDict[str, float] = OrderedDict()

    def first(self, key: str) -> bool:
        """Whether this key is new; remembers it."""
        now = self._now()
        while self._keys and (len(self._keys) >= self._limit or now - next(iter(self._keys.values())) > self._ttl):
            self._keys.popitem(last=False)
        if key in self._keys:
            return False
        self._keys[key] = now
        return True

    def forget(self, key: str) -> None:
        """Remove a key, so that a request with it counts as new."""
        self._keys.pop(key, None)


class LastTaps:
    """What each person clicked on last, to tell a double tap from two clicks. Bounded in number."""

    def __init__(self, limit: int = 500, seconds: float = 1.0, now: Callable[[], float] = time.monotonic) -> None:
        """A second click counts as a double tap for ``seconds``."""
        self._limit, self._seconds, self._now = limit, seconds, now
        self._last: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def again(self, user: str, tap: str) -> bool:
        """Whether the person did nothing since but click there, just now; ``tap`` is empty if it is no click."""
        now = self._now()
        last, at = self._last.pop(user, ("", now))
        if not tap:
            return False
        self._last[user] = tap, now
        if len(self._last) > self._limit:
            self._last.popitem(last=False)
        return last == tap and now - at <= self._seconds


@dataclass(frozen=True)
class KeptAnswer:
    """An answer, who got it, when, and its approximate size in bytes."""

    reply: Reply
    user: str
    at: float
    size: int


class Answers:
    """Recent answers, for "Share in channel": at most 200 and 2 MiB in total, for 30 minutes."""

    def __init__(
        self,
        limit: int = 200,
        size: int = 2 << 20,
        ttl: float = 1800,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``size`` in bytes, ``ttl`` in seconds."""
        self._limit, self._size, self._ttl, self._now = limit, size, ttl, now
        self._kept: OrderedDict[str, KeptAnswer] = OrderedDict()
        self._bytes = 0

    def put(self, key: str, reply: Reply, user: str) -> None:
        """Keep an answer, unless it is too large (sharing it then runs the command again)."""
        size = len(repr(reply))
        if size > self._size // 4:
            return
        self._kept[key] = KeptAnswer(reply, user, self._now(), size)
        self._bytes += size
        while len(self._kept) > self._limit or self._bytes > self._size:
            self._bytes -= self._kept.popitem(last=False)[1].size

    def get(self, key: str, user: str) -> Reply | None:
        """Return the answer that ``user`` got, if it is still kept."""
        kept = self._kept.get(key)
        if kept is None or kept.user != user or self._now() - kept.at > self._ttl:
            return None
        return kept.reply
