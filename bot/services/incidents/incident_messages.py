"""What the messages about incidents say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.core.reply import Mention, Reply
from bot.domain.incidents import incident_card
from bot.domain.incidents.alerting import REMINDERS, AlertRules, Incident
from bot.domain.outbox.message import (
    OutboxMessage,
)
from bot.errors import NotFound
from bot.ports.clock import (
    Clock,
)
from bot.ports.ledger import (
    Ledger,
)

KINDS = ("incident", "notice", "group", "over")


@dataclass
class IncidentMessages:
    """The writer of `KINDS`."""

    ledger: Ledger
    clock: Clock
    rules: AlertRules

    async def write(self, delivery: OutboxMessage) -> Reply | None:
        """See `bot.services.outbox.worker.Writer`."""
        kind, _, id_ = delivery.key.partition(":")
        if kind == "group":
            return await self._group(delivery, id_)
        if kind == "over":
            return await self._over(delivery, id_)
        id_, _, number = id_.partition(":")
        incident = await self.ledger.incident(id_)
        if incident is None:
            raise NotFound(f"There is no incident {id_} for the message {delivery.key}.")
        now = self.clock.now()
        if kind == "notice":
            return await self._notice(incident, int(number), now)
        if _too_late(delivery, incident):
            return None
        return incident_card.message(
            incident, now, () if incident.group and not incident.apart else self._call([incident])
        )

    async def _notice(self, incident: Incident, number: int, now: datetime) -> Reply | None:
        """In the thread of many, nothing is said of what was over before its own message was there."""
        own = await self.ledger.delivery(f"incident:{incident.id}")
        if own is None or _too_late(own, incident) or _overtaken(incident, number):
            return None
        return incident_card.notice(incident, incident.notices[number], now, self._call([incident]))

    async def _group(self, delivery: OutboxMessage, id_: str) -> Reply | None:
        now = self.clock.now()
        mine = list(await self.ledger.incidents(group=id_, limit=None))
        if not mine or all(_too_late(delivery, i) for i in mine):
            return None
        return incident_card.group(mine, now, self._call(mine))

    async def _over(self, delivery: OutboxMessage, id_: str) -> Reply | None:
        """Of many nothing is said before the last one is over: each shows its own end in place."""
        mine = list(await self.ledger.incidents(group=id_, limit=None))
        if delivery.posted is None and (not mine or any(i.open for i in mine)):
            return None
        return incident_card.over(mine)

    def _call(self, incidents: list[Incident]) -> tuple[Mention, ...]:
        critical = any(i.there and i.problem.severity == "critical" for i in incidents)
        return tuple(Mention(m) for m in self.rules.mention) if critical else ()

    async def refused(self, delivery: OutboxMessage) -> bool:  # noqa: ARG002 - the writer's shape
        """Nobody else is told: `incidents` and the digest show what could not be delivered."""
        return False


def _overtaken(incident: Incident, number: int) -> bool:
    """Whether it is a reminder after which more was said: several at once call nobody better than one."""
    return incident.notices[number].reason in REMINDERS and number + 1 < len(incident.notices)


def _too_late(delivery: OutboxMessage, incident: Incident) -> bool:
    """Whether it was over before anybody could be told: then nobody is, not even that it is over."""
    return not incident.open and delivery.posted is None and not delivery.unsure
