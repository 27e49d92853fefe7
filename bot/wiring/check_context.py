"""What background tasks make a target's checks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.domain.core.outside import Outside
from bot.domain.core.target import Target
from bot.ports.change_log import ChangeRecorder
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster, Network
from bot.ports.decryption import Decryption
from bot.ports.heartbeats import HeartbeatSource
from bot.ports.ledger import Ledger
from bot.ports.registry import ImageRegistry

if TYPE_CHECKING:
    from bot.runbook.file.compiled import CompiledRunbook


@dataclass(frozen=True)
class TargetContext:
    """A target, and the ports to read it through. Its runbook is read at its first use."""

    target: Target
    cluster: Cluster
    network: Network
    heartbeats: HeartbeatSource | None
    clock: Clock
    ledger: Ledger | None
    outside: Outside
    probe_timeout: float
    books: Mapping[str, CompiledRunbook]
    change_log: ChangeRecorder | None = None
    registry: ImageRegistry | None = None
    decryption: Decryption | None = None

    @property
    def book(self) -> CompiledRunbook | None:
        """The target's runbook."""
        return self.books.get(self.target.name)
