"""The sink for the health-bridge: what it is told of an issue is made from the ledger when it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.domain.incidents import bridge
from bot.domain.outbox.message import (
    MessageRef,
    OutboxMessage,
)
from bot.errors import AgentpodError, TimedOut, Uncertain
from bot.ports.bridge import (
    Bridge,
)
from bot.ports.clock import (
    Clock,
)
from bot.ports.ledger import (
    Ledger,
)

KIND = "bridge"
LATELY = timedelta(days=7)
"""How long ago an incident may have ended to say of its issue how it ended."""


def mark_of(issue: str) -> str:
    """Under which name it is kept what the bridge takes for firing; empty where it takes it for over."""
    return f"bridged:{issue}"


@dataclass
class BridgePost:
    """Sends one issue's state. Deliveries are held by one process, so there is one post at a time."""

    ledger: Ledger
    clock: Clock
    bridge: Bridge

    async def deliver(self, delivery: OutboxMessage) -> MessageRef | None:
        """See `bot.services.outbox.worker.Sink`."""
        now = self.clock.now()
        issue = delivery.key.partition(":")[2]
        last = await self.ledger.mark(mark_of(issue)) or ""
        mine = await self.ledger.incidents(since=now - LATELY, issue=issue, limit=None)
        alert = bridge.state(issue, mine, last, now)
        if alert is None:
            return delivery.posted
        await self._send(issue, alert, last)
        return MessageRef(KIND, issue)

    async def _send(self, issue: str, alert: Mapping[str, Any], last: str) -> None:
        """Send it, and keep what the bridge takes the issue for."""
        firing = bridge.kept(alert)
        if firing:  # before it is sent: what may have come to it has to be ended, whatever happens now
            await self._keep(issue, firing)
        try:
            await self.bridge.send(alert)
        except (TimedOut, Uncertain):
            raise
        except AgentpodError:
            await self._keep(issue, last)
            raise
        if not firing:
            await self._keep(issue, "")

    async def _keep(self, issue: str, firing: str) -> None:
        async with self.ledger.writing() as tx:
            if (await tx.mark(mark_of(issue)) or "") != firing:
                await tx.set_mark(mark_of(issue), firing)
