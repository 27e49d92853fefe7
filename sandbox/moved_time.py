"""The sandbox's time: the machine's, which the panel moves forward for the pod, the Pushgateway and the bot alike.

What is past grows older for all of them at once. Jobs that run have run meanwhile; one that is stopped has not.
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
"""Under which name the bot is told the file."""
STEPS = (
    ("10m", 600, "10 minutes pass", "for the pod, the Pushgateway and the bot; jobs that run have run meanwhile"),
    ("1h", 3600, "1 hour passes", "longer than session-manager may be silent"),
    ("6h", 21_600, "6 hours pass", "longer than an alert waits for its reminder"),
)


class MovedTime:
    """As many seconds ahead of the machine's time as a file says: whoever reads it has the same time."""

    def __init__(self, file: Path) -> None:
        """The file need not exist: nothing is moved then."""
        self._file = file
        self.between: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
        """Within it nobody has read something of before that is judged by the time of after."""
        self.breaks: list[Break] = [self._step(*step) for step in STEPS]

    @property
    def ahead(self) -> timedelta:
        """By how much it was moved."""
        try:
            return timedelta(seconds=int(self._file.read_text("ascii")))
        except FileNotFoundError:
            return timedelta()

    def now(self) -> datetime:
        """The time in UTC."""
        return utc_now() + self.ahead

    async def move(self, seconds: int) -> None:
        """Let time pass."""
        async with self.between():
            total = int(self.ahead.total_seconds()) + seconds
            whole = self._file.with_suffix(".new")  # nobody reads half of it
            whole.write_text(str(total), "ascii")
            os.replace(whole, self._file)

    def _step(self, name: str, seconds: int, label: str, words: str) -> Break:
        return Break(
            f"time-{name}", "Time", label, words, "button", lambda: None, lambda _value: self.move(seconds)
        )
