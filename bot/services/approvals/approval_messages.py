"""What the messages about cases say: cards, progress, and direct messages to whoever asked."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.approvals import card
from bot.domain.approvals.approval import ApprovalPolicy
from bot.domain.approvals.repair import (
    RepairRequest,
)
from bot.domain.core.reply import Mention, Reply
from bot.domain.outbox.message import (
    OutboxMessage,
)
from bot.domain.rbac.access import AccessPolicy, Role
from bot.errors import NotFound
from bot.ports.clock import (
    Clock,
)
from bot.ports.ledger import (
    Ledger,
)
from bot.services.approvals.changes import is_person, value_until

KINDS = ("card", "progress", "value", "unposted", "outcome")


def approvers(access: AccessPolicy, channel: str) -> tuple[Mention, ...]:
    """Whom a card calls: the users and groups that decide in its channel; none where everybody there does."""
    rules = [r for r in access.rules if r.role.covers(Role.APPROVER) and (not r.channels or channel in r.channels)]
    ids = [i for r in rules for i in (*r.groups, *r.users) if i != "*"]
    return tuple(Mention(i) for i in dict.fromkeys(ids))


@dataclass
class RequestMessages:
    """The writer of `KINDS`."""

    ledger: Ledger
    clock: Clock
    policy: ApprovalPolicy
    access: AccessPolicy

    async def write(self, delivery: OutboxMessage) -> Reply:
        """See `bot.services.outbox.worker.Writer`."""
        kind, _, of = delivery.key.partition(":")
        id_, _, to = of.partition(":")
        case = await self.ledger.case(id_)
        if case is None:
            raise NotFound(f"There is no case {id_} for the message {delivery.key}.")
        if kind == "card":
            return card.card(case, self.policy, approvers(self.access, case.channel))
        if kind == "progress":
            return card.progress(case, self.clock.now())
        if kind == "value":
            return card.value_wanted(case, value_until(case, self.policy))
        if kind == "unposted":
            return await self._unposted(case)
        return card.outcome(case, joined=bool(to))

    async def _unposted(self, case: RepairRequest) -> Reply:
        of_card = await self.ledger.delivery(f"card:{case.id}")
        if of_card is not None and of_card.posted is not None:
            return card.posted_late(case)
        why = of_card.error if of_card is not None and of_card.error else "Slack did not take it."
        return card.unposted(case, why)

    async def arrived(self, delivery: OutboxMessage) -> None:
        """A card that could not be posted is there now: who was told that it is not is told so."""
        kind, _, id_ = delivery.key.partition(":")
        if kind == "card":
            async with self.ledger.writing() as tx:
                await tx.refresh(f"unposted:{id_}")

    async def refused(self, delivery: OutboxMessage) -> bool:
        """A card that can't be posted is no secret of the log's: whoever asked hears of it, once a reason."""
        kind, _, id_ = delivery.key.partition(":")
        case = await self.ledger.case(id_) if kind == "card" else None
        if case is None or case.state.final or not is_person(case.request.requester):
            return False
        if await self._told(delivery, id_):
            return False
        async with self.ledger.writing() as tx:
            await tx.enqueue(f"unposted:{id_}", case.request.requester)
        return True

    async def _told(self, delivery: OutboxMessage, id_: str) -> bool:
        """Whether whoever asked has heard why it can't be posted: the reason is that of the try before."""
        now = await self.ledger.delivery(delivery.key)
        owed = await self.ledger.delivery(f"unposted:{id_}")
        return owed is not None and now is not None and now.error == delivery.error
