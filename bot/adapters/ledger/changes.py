"""Who waits for news is woken by commits: by this process's own at once, by other processes' within a moment.

So nobody has to ask an idle database once a second whether there is something to do.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

LOOK = 2.0
"""Seconds between two looks at a SQLite file's times: commands in a terminal write to it as well."""
POLL = 5.0
"""Seconds after which PostgreSQL counts as changed: other replicas work on it too, and wake their own tasks."""


class Changes:
    """Tells of commits."""

    def __init__(self, path: Path | None) -> None:
        """``path``: the SQLite file; None for a server."""
        self._files = (path, path.with_name(path.name + "-wal")) if path is not None else ()
        self._calls: list[Callable[[], None]] = []
        self._seen = self._times()

    def on_change(self, call: Callable[[], None]) -> None:
        """Have ``call`` called after each commit."""
        self._calls.append(call)

    def committed(self) -> None:
        """This process has committed something."""
        self._seen = self._times()
        for call in self._calls:
            call()

    async def watch(self) -> None:
        """Look for other processes' commits until cancelled."""
        while True:
            await asyncio.sleep(LOOK if self._files else POLL)
            if not self._files or self._times() != self._seen:
                self.committed()

    def _times(self) -> tuple[tuple[int, int], ...]:
        return tuple(map(_time, self._files))


def _time(path: Path) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
