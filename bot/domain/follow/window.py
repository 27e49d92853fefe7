"""The newest lines of a log that is followed: those to show next, and some before them. Pure.

A secret of several lines is recognised by lines that were shown before, so these are kept for a while. Where the
log is faster than it is shown, the oldest lines are dropped, and counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.core.redact import LONGEST_KEY, open_key
from bot.domain.core.redact.words import PLACEHOLDER

MOST_LINES = 2_000
MOST_CHARACTERS = 256 * 1024
"""Maximum of lines that wait to be shown, and of their characters."""
CONTEXT_LINES = LONGEST_KEY
CONTEXT_CHARACTERS = 64 * 1024
"""Maximum of lines that are kept after they were shown, and of their characters."""
PATIENCE = 10.0
"""Seconds that the lines of a private key wait for its end."""

MOST_HIDDEN = 200
"""Lines that are redacted after the beginning of a private key whose end has not come."""


@dataclass(frozen=True)
class Portion:
    """Lines to redact together; the last ``new`` of them are to be shown. ``skipped`` came before those."""

    lines: tuple[str, ...]
    new: int
    skipped: int = 0


class Window:
    """Takes lines as they come, and gives them out in portions."""

    def __init__(self) -> None:
        """Start empty."""
        self._shown: deque[str] = deque()
        self._waiting: deque[str] = deque()
        self._characters = self._context = self._skipped = 0
        self._open_since: float | None = None
        self.received = 0
        """Characters that have come since the last portion, also of lines that were dropped."""

    def add(self, lines: Sequence[str]) -> None:
        """Take new lines."""
        for line in lines:
            self._waiting.append(line)
            self._characters += len(line)
            self.received += len(line) + 1
            while len(self._waiting) > MOST_LINES or self._characters > MOST_CHARACTERS:
                self._skipped += 1
                self._keep(self._next())

    def start_at(self, tail: int) -> None:
        """Of the lines that wait, show only the newest; the others are kept as if they had been shown."""
        while len(self._waiting) > tail:
            self._keep(self._next())
        self._skipped = 0

    def take(self, now: float, *, last: bool = False) -> Portion:
        """Return the lines to show now. A private key waits for its end, ``PATIENCE`` seconds at most."""
        self.received = 0
        count = len(self._waiting) if last else self._ready(now)
        fresh = [self._next() for _ in range(count)]
        portion = Portion(_without_open_key([*self._shown, *fresh]), count, self._skipped)
        self._skipped = 0
        for line in fresh:
            self._keep(line)
        return portion

    def _ready(self, now: float) -> int:
        """How many of the waiting lines can be judged already."""
        begin = open_key([*self._shown, *self._waiting])
        if begin is None:
            self._open_since = None
            return len(self._waiting)
        self._open_since = now if self._open_since is None else self._open_since
        waited = now - self._open_since >= PATIENCE
        return len(self._waiting) if waited else max(0, begin - len(self._shown))

    def _next(self) -> str:
        line = self._waiting.popleft()
        self._characters -= len(line)
        return line

    def _keep(self, line: str) -> None:
        self._shown.append(line)
        self._context += len(line)
        while len(self._shown) > CONTEXT_LINES or self._context > CONTEXT_CHARACTERS:
            self._context -= len(self._shown.popleft())


def _without_open_key(lines: list[str]) -> tuple[str, ...]:
    """Redact what follows the beginning of a private key without an end, whatever stands between its lines."""
    if (begin := open_key(lines)) is not None:
        hidden = len(lines[begin + 1 : begin + 1 + MOST_HIDDEN])
        lines[begin + 1 : begin + 1 + hidden] = [PLACEHOLDER] * hidden
    return tuple(lines)
