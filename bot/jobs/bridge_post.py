"""The sink for the health-bridge: what it is told of an issue is made from the ledger when it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.domain import bridge
from bot.domain.repair import Delivery, Posted
from bot.ports import Bridge, Clock, Ledger

KIND = "bridge"
LATELY = timedelta(days=7)
MOST = 10_000
"""Incidents that are looked through for those of an issue, of the open ones and of those that ended `LATELY`."""


@dataclass
class BridgePost:
    """Sends one issue's state. Deliveries are held by one process, so there is one post at a time."""

    ledger: Ledger
    clock: Clock
    bridge: Bridge

    async def deliver(self, delivery: Delivery) -> Posted | None:
        """See `bot.jobs.deliver.Sink`."""
        now = self.clock.now()
        issue = delivery.key.partition(":")[2]
        open_ = await self.ledger.incidents(live=True, limit=MOST)
        over = await self.ledger.incidents(live=False, since=now - LATELY, limit=MOST)
        alert = bridge.alert(issue, [i for i in (*open_, *over) if i.problem.issue == issue], now)
        never_sent = delivery.posted is None and not delivery.unsure
        if alert is None or (alert["status"] == "resolved" and never_sent):
            return None
        await self.bridge.send(alert)
        return Posted(KIND, issue)
