"""Renders the messages about repair requests: cards, progress, and direct messages to the requester."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from bot.domain.approvals import approvable, approver_message, card, message_keys, reminder
from bot.domain.approvals.approval import ApprovalPolicy, RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.reply import Mention, Reply
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.domain.outbox.preferences import of
from bot.domain.rbac.access import AccessPolicy
from bot.errors import NotFound
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger
from bot.ports.people import People
from bot.services.approvals import request_alerts, request_links
from bot.services.approvals.changes import is_person, refresh_receipts, value_until
from bot.services.approvals.deciders import may_decide
from bot.services.outbox.kind import MessageKind
from bot.services.outbox.message_links import MessageLinks


def approvers(access: AccessPolicy, policy: ApprovalPolicy, repair: RepairRequest) -> tuple[Mention, ...]:
    """The users and groups that a card mentions."""
    return tuple(map(Mention, approvable.mentioned(access, policy, repair)))


def posted(repair: RepairRequest, access: AccessPolicy, policy: ApprovalPolicy, meanwhile: str = "") -> Reply:
    """The card of a request, with those who can approve it, or why nobody can."""
    deadlock = approvable.deadlock(repair, access, policy)
    return card.card(repair, policy, approvers(access, policy, repair), deadlock, meanwhile)


@dataclass
class RequestMessages:
    """Renders the messages about repair requests, one method per kind."""

    ledger: Ledger
    clock: Clock
    policy: ApprovalPolicy
    access: AccessPolicy
    links: MessageLinks | None = None
    people: Callable[[], People | None] = lambda: None
    """Looks up approvers who get direct messages; None before Slack is connected."""

    def kinds(self) -> tuple[MessageKind, ...]:
        """The message kinds about repair requests."""

        def kind(
            name: str, called: str, render: Callable[[RepairRequest, OutboxMessage], Awaitable[Reply | None]]
        ) -> MessageKind:
            return MessageKind(name, partial(self._rendered, render), partial(self._described, called))

        card_ = kind(message_keys.CARD, "the approval card of", self._card)
        return (
            replace(card_, refused=self.refused, arrived=self.arrived),
            kind(message_keys.PROGRESS, "the progress of", self._progress),
            kind(message_keys.REMINDER, "the reminder of", self._reminder),
            replace(
                kind(message_keys.APPROVER, "an approver's direct message about", self._approver),
                retry_refused=False,
            ),
            kind(message_keys.VALUE, "the form for the value of", self._value),
            kind(message_keys.UNPOSTED, "that the card could not be posted, of", self._unposted),
            kind(message_keys.OUTCOME, "the outcome of", self._outcome),
        )

    async def _rendered(
        self, render: Callable[[RepairRequest, OutboxMessage], Awaitable[Reply | None]], message: OutboxMessage
    ) -> Reply | None:
        repair = await self.ledger.request(message.key.id)
        if repair is None:
            raise NotFound(f"There is no request {message.key.id} for the message {message.key}.")
        return await render(repair, message)

    async def _described(self, called: str, key: MessageKey) -> str:
        repair = await self.ledger.request(key.id)
        return f"{called} {f'{repair.action.called(repair)} ({repair.id})' if repair else f'the request {key.id}'}"

    async def _linked(self, reply: Reply, repair: RepairRequest, *, to_card: bool = True) -> Reply:
        """The message with links to its request's card, and to what it was asked at."""
        if self.links is None:
            return reply
        return replace(reply, links=await request_links.of(self.links, repair, to_card=to_card))

    async def _card(self, repair: RepairRequest, _: OutboxMessage) -> Reply:
        meanwhile = await request_alerts.meanwhile(self.ledger, repair, self.clock.now())
        return await self._linked(posted(repair, self.access, self.policy, meanwhile), repair, to_card=False)

    async def _progress(self, repair: RepairRequest, _: OutboxMessage) -> Reply:
        return card.progress(repair, self.clock.now())

    async def _approver(self, repair: RepairRequest, message: OutboxMessage) -> Reply | None:
        user, sent = message.key.more[0], message.posted is not None or message.unsure
        if _too_late(repair, message):
            return None
        if not sent and of(user, await self.ledger.preferences()).requests == "never":  # chosen meanwhile
            return None
        if not await may_decide(self.access, self.people(), user, repair):
            return None
        deadlock = approvable.deadlock(repair, self.access, self.policy)
        meanwhile = await request_alerts.meanwhile(self.ledger, repair, self.clock.now())
        links = await request_links.of(self.links, repair) if self.links is not None else ()
        return approver_message.approver_message(repair, self.policy, user, deadlock, meanwhile, links)

    async def _reminder(self, repair: RepairRequest, message: OutboxMessage) -> Reply | None:
        if _too_late(repair, message):
            return None
        now = self.clock.now()
        asleep = {p.user for p in await self.ledger.preferences() if p.requests_held_until(now) is not None}
        called = [one for one in approvers(self.access, self.policy, repair) if one.id not in asleep]
        deadlock = approvable.deadlock(repair, self.access, self.policy)
        return reminder.reminder(repair, called, deadlock, now)

    async def _value(self, repair: RepairRequest, _: OutboxMessage) -> Reply:
        return await self._linked(card.value_wanted(repair, value_until(repair, self.policy)), repair)

    async def _outcome(self, repair: RepairRequest, message: OutboxMessage) -> Reply:
        return await self._linked(card.outcome(repair, joined=bool(message.key.more)), repair)

    async def _unposted(self, repair: RepairRequest, _: OutboxMessage) -> Reply:
        of_card = await self.ledger.delivery(message_keys.card(repair.id))
        if of_card is not None and of_card.posted is not None:
            return await self._linked(card.posted_late(repair), repair)
        why = of_card.error if of_card is not None and of_card.error else "Slack did not take it."
        return card.unposted(repair, why)

    async def arrived(self, message: OutboxMessage) -> None:
        """Update what says that the card couldn't be posted, and what links it, now that it is posted."""
        repair = await self.ledger.request(message.key.id)
        async with self.ledger.writing() as tx:
            if message.error:
                await tx.refresh(message_keys.unposted(message.key.id))
            if repair is not None:
                await refresh_receipts(tx, repair)
            if repair is not None and repair.beside:
                await tx.refresh(MessageKey(repair.beside))

    async def refused(self, message: OutboxMessage) -> bool:
        """Tell the requester that the card can't be posted, once per reason; True where a message was enqueued."""
        repair = await self.ledger.request(message.key.id)
        if repair is None or repair.state.final or not is_person(repair.request.requester):
            return False
        if await self._notified(message):
            return False
        async with self.ledger.writing() as tx:
            await tx.enqueue(message_keys.unposted(repair.id), repair.request.requester)
        return True

    async def _notified(self, message: OutboxMessage) -> bool:
        """Whether the requester was notified of this reason already: the previous attempt failed with it."""
        now = await self.ledger.delivery(message.key)
        pending = await self.ledger.delivery(message_keys.unposted(message.key.id))
        return pending is not None and now is not None and now.error == message.error


def _too_late(repair: RepairRequest, message: OutboxMessage) -> bool:
    """Whether a request for a decision was not posted before the decision: then nobody needs it."""
    return repair.state is not RequestState.OPEN and message.posted is None and not message.unsure
