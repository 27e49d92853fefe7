"""Renders what is sent to the health-bridge: the state of a GitHub issue's incidents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.domain.incidents import bridge, message_keys
from bot.domain.incidents.alerting import Incident
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.errors import AgentpodError, TimedOut, Uncertain
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger
from bot.services.outbox.kind import MessageKind

LATELY = timedelta(days=7)
"""How long after an incident's end its issue still gets its outcome."""


def firing_mark(issue: str) -> str:
    """The ledger's mark for what the bridge believes to be firing for an issue; empty: nothing."""
    return f"bridged:{issue}"


def issue_keys(incident: Incident) -> Mapping[MessageKey, str]:
    """The key of the message about the incident's issue, and its place; empty where it has no issue."""
    return {message_keys.issue(incident.problem.issue): "bridge"} if incident.problem.issue else {}


@dataclass
class IssueMessages:
    """Renders the state of issues. A message is leased to one process, so an issue has one attempt at a time."""

    ledger: Ledger
    clock: Clock

    def kinds(self) -> tuple[MessageKind, ...]:
        """The message kind about an issue."""
        return (
            MessageKind(
                message_keys.ISSUE, self._state, self._described, sink="health_bridge", sending=self._sending
            ),
        )

    async def _described(self, key: MessageKey) -> str:
        return f"the state of {key.rest} for the health-bridge"

    async def _state(self, message: OutboxMessage) -> Mapping[str, Any] | None:
        now, issue = self.clock.now(), message.key.rest
        last = await self.ledger.mark(firing_mark(issue)) or ""
        mine = await self.ledger.incidents(since=now - LATELY, issue=issue, limit=None)
        return bridge.state(issue, mine, last, now)

    @asynccontextmanager
    async def _sending(self, message: OutboxMessage, alert: Mapping[str, Any]) -> AsyncIterator[None]:
        """Keep the issue's mark equal to what the bridge has been sent, or may have been."""
        issue, firing = message.key.rest, bridge.kept(alert)
        last = await self.ledger.mark(firing_mark(issue)) or ""
        if firing:  # saved before it is sent: if the result stays unknown, its end must be sent as well
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
            if (await tx.mark(firing_mark(issue)) or "") != firing:
                await tx.set_mark(firing_mark(issue), firing)
