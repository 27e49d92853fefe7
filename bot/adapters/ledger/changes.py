"""Wakes tasks after commits: this process's own at once, other processes' within seconds.

Tasks therefore need not poll an idle database every second for something to do.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

LOOK = 2.0
"""Seconds between checks of a SQLite file's modification time: terminal commands write to it as well."""
POLL = 5.0
"""Seconds after which PostgreSQL is assumed to have changed: other replicas' commits can't be seen from here."""


class Changes:
    """Calls its listeners after commits that changed the database."""

    def __init__(self, path: Path | None) -> None:
        """``path``: the SQLite file; None for PostgreSQL."""
        self._files = (path, path.with_name(path.name + "-wal")) if path is not None else ()
        self._calls: list[Callable[[], None]] = []
        self._seen = self._times()

    def on_change(self, call: Callable[[], None]) -> None:
        """Register ``call`` to be called after each change."""
        self._calls.append(call)

    def committed(self) -> None:
        """Call the listeners. The session calls this after each commit of its own that wrote something."""
        self._seen = self._times()
        for call in self._calls:
            call()

    async def watch(self) -> None:
        """Call the listeners for other processes' commits, until cancelled."""
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
