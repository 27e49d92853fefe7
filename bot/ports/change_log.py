"""Where looks at things that may change are compared with the last ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bot.domain.core.look import Compare, Fingerprints, Look


class ChangeRecorder(Protocol):
    """Records what changed between two looks. It neither fails nor delays whoever looks."""

    @property
    def fingerprints(self) -> Fingerprints | None:
        """Makes fingerprints of values that may be secret; None: they are not compared."""

    def soon(self, make: Callable[[], Look | None], compare: Compare) -> None:
        """Compare a look in a task of its own; ``make`` runs in a thread."""
