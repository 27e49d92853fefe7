"""What the health-bridge is told of an issue: made from the ledger when it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.domain.incidents import bridge, message_keys
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.errors import AgentpodError, TimedOut, Uncertain
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger
from bot.services.outbox.kind import MessageKind

LATELY = timedelta(days=7)
"""How long ago an incident may have ended to say of its issue how it ended."""


def mark_of(issue: str) -> str:
    """Under which name it is kept what the bridge takes for firing; empty where it takes it for over."""
    return f"bridged:{issue}"


@dataclass
class IssueMessages:
    """The state of issues. A message is held by one process, so there is one attempt for an issue at a time."""

    ledger: Ledger
    clock: Clock

    def kinds(self) -> tuple[MessageKind, ...]:
        """The kind of message about an issue."""
        return (
            MessageKind(
                message_keys.ISSUE, self._state, self._described, sink="health_bridge", sending=self._sending
            ),
        )

    async def _described(self, key: MessageKey) -> str:
        return f"the state of {key.rest} for the health-bridge"

    async def _state(self, message: OutboxMessage) -> Mapping[str, Any] | None:
        now, issue = self.clock.now(), message.key.rest
        last = await self.ledger.mark(mark_of(issue)) or ""
        mine = await self.ledger.incidents(since=now - LATELY, issue=issue, limit=None)
        return bridge.state(issue, mine, last, now)

    @asynccontextmanager
    async def _sending(self, message: OutboxMessage, alert: Mapping[str, Any]) -> AsyncIterator[None]:
        """Keep what the bridge takes the issue for."""
        issue, firing = message.key.rest, bridge.kept(alert)
        last = await self.ledger.mark(mark_of(issue)) or ""
        if firing:  # before it is sent: what may have come to it has to be ended, whatever happens now
            await self._keep(issue, firing)
        try:
            yield
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
