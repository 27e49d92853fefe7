"""The sandbox's clock: the machine's time plus an offset that the panel increases.

Pod, Pushgateway and bot all follow it. When time moves, running jobs have run meanwhile; stopped ones have not.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime, timedelta
from pathlib import Path

from sandbox.breaks import Break
from sandbox.cluster.store import utc_now

VARIABLE = "SANDBOX_AHEAD"
"""The environment variable that names the offset's file to the bot."""
STEPS = (
    ("10m", 600, "10 minutes pass", "for the pod, the Pushgateway and the bot; jobs that run have run meanwhile"),
    ("1h", 3600, "1 hour passes", "longer than session-manager may be silent"),
    ("6h", 21_600, "6 hours pass", "longer than an alert waits for its reminder"),
)


class MovedTime:
    """A clock ahead of the machine's by the seconds in a file, so that several processes share its time."""

    def __init__(self, file: Path) -> None:
        """The file need not exist: then the offset is 0."""
        self._file = file
        self.between: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
        """Entered while time moves, so that nothing read before the move is judged by the time after it."""
        self.breaks: list[Break] = [self._step(*step) for step in STEPS]

    @property
    def ahead(self) -> timedelta:
        """The offset."""
        try:
            return timedelta(seconds=int(self._file.read_text("ascii")))
        except FileNotFoundError:
            return timedelta()

    def now(self) -> datetime:
        """The sandbox's time in UTC."""
        return utc_now() + self.ahead

    async def move(self, seconds: int) -> None:
        """Move time forward."""
        async with self.between():
            self.set(self.ahead + timedelta(seconds=seconds))

    def set(self, ahead: timedelta) -> None:
        """Set the offset, in whole seconds."""
        whole = self._file.with_suffix(".new")  # replaced atomically: no reader sees half a number
        whole.write_text(str(int(ahead.total_seconds())), "ascii")
        os.replace(whole, self._file)

    def _step(self, name: str, seconds: int, label: str, words: str) -> Break:
        return Break(
            f"time-{name}", "Time", label, words, "button", lambda: None, lambda _value: self.move(seconds)
        )
