"""Remembers how far a log was read, so that a broken connection neither doubles nor loses lines. Pure.

The API takes the time to go on from in whole seconds, so the last second comes again: the lines of that second are
remembered, by hash, and left out once each.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from bot.domain.core.workload import LogLine

MOST = 5_000
"""Lines of one second that are remembered. Beyond it, lines that are not newer than the newest are left out."""
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


class LogPosition:
    """How far a log was read."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._second, self._newest = "", ""
        self._zone = ""
        self._shown: Counter[int] = Counter()
        self._again: Counter[int] = Counter()
        self._resumed = False

    @property
    def since(self) -> datetime | None:
        """The second to go on from; None where no line was read yet."""
        return datetime.fromisoformat(self._second + self._zone).astimezone(UTC) if self._second else None

    def resume(self) -> None:
        """Expect the lines of the last second once more."""
        self._again, self._resumed = self._shown.copy(), True

    def unread(self, lines: Sequence[LogLine]) -> list[str]:
        """Return the text of those lines that were not read before, and remember them."""
        return [line.text for line in lines if self._is_new(line)]

    def _is_new(self, line: LogLine) -> bool:
        found = _STAMP.fullmatch(line.at)
        if found is None:
            return True
        key = hash((line.at, line.text))
        if self._again[key]:
            self._again[key] -= 1
            return False
        if self._resumed and self._shown.total() >= MOST and line.at <= self._newest:
            return False
        self._note(found[1], found[2], line.at, key)
        return True

    def _note(self, second: str, zone: str, at: str, key: int) -> None:
        if second > self._second:
            self._second, self._zone, self._resumed = second, zone, False
            self._shown.clear()
            self._again.clear()
        if second == self._second and self._shown.total() < MOST:
            self._shown[key] += 1
        self._newest = max(self._newest, at)
