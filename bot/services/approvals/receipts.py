"""Keeps the receipts of whoever asks for repairs up to date, across restarts and replicas.

A private answer is replaced by a response URL, which Slack takes five times within half an hour. Where it is and
what it shows is one mark of the ledger, from which it is removed at the request's end. Its updates are messages of
the outbox, one key for each receipt, so that each is sent once, and again after an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from bot.domain.approvals import approvable, message_keys, receipt
from bot.domain.approvals.approval import ApprovalPolicy
from bot.domain.approvals.receipt import Receipt, Update
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.domain.rbac.access import AccessPolicy
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger
from bot.services.approvals import request_links
from bot.services.approvals.request_links import Linking
from bot.services.outbox.kind import MessageKind

MARK = "receipts"
"""The ledger's mark with all receipts that are followed."""
SINK = "receipt"


@dataclass(frozen=True)
class ReceiptKeeper:
    """Begins to follow receipts, and ends it in time."""

    ledger: Ledger
    clock: Clock
    changed: Callable[[], None] = lambda: None
    """Called after each transaction that enqueues messages."""

    async def follow(self, one: Receipt) -> None:
        """Keep a person's first receipt for a request up to date from now on. Raises as the ledger does."""
        async with self.ledger.writing() as tx:
            kept = receipt.load(await tx.mark(MARK)).since(self.clock.now())
            if kept.of(one.request, one.user) is not None or await tx.request(one.request) is None:
                return
            await tx.set_mark(MARK, receipt.dump(kept.with_(one)))
            await tx.enqueue(message_keys.receipt(one.request, one.user), one.user)
        self.changed()

    async def close_due(self) -> None:
        """Update receipts for the last time whose addresses soon can't be used. Raises as the ledger does."""
        now = self.clock.now()
        if not any(one.closes(now) for one in receipt.load(await self.ledger.mark(MARK)).followed):
            return
        async with self.ledger.writing() as tx:
            kept = receipt.load(await tx.mark(MARK))
            due = [replace(one, closing=True) for one in kept.followed if one.closes(now)]
            await tx.set_mark(MARK, receipt.dump(kept.with_(*due).since(now)))
            for one in due:
                await tx.refresh(message_keys.receipt(one.request, one.user))
        self.changed()


@dataclass(frozen=True)
class ReceiptMessages:
    """Renders the updates of receipts."""

    ledger: Ledger
    clock: Clock
    policy: ApprovalPolicy
    access: AccessPolicy
    links: Linking | None = None

    def kinds(self) -> tuple[MessageKind, ...]:
        """The message kind of receipts."""
        kind = MessageKind(message_keys.RECEIPT, self._update, self._described, SINK, sending=self._sending)
        return (replace(kind, retry_refused=False),)

    async def _described(self, key: MessageKey) -> str:
        return f"the update of the receipt for {key.id}"

    async def _update(self, message: OutboxMessage) -> Update | None:
        repair = await self.ledger.request(message.key.id)
        kept = receipt.load(await self.ledger.mark(MARK)).of(message.key.id, message.place)
        if repair is None or kept is None:
            return None
        links = await request_links.of(self.links, repair) if self.links is not None else ()
        blocked = approvable.deadlock(repair, self.access, self.policy)
        return receipt.update(kept, repair, links, blocked, self.clock.now())

    @asynccontextmanager
    async def _sending(self, message: OutboxMessage, content: Update) -> AsyncIterator[None]:
        """Count each attempt before it is made, and record afterwards what is shown."""
        if content.receipt.bounded:
            await self._change(message, lambda one: replace(one, left=one.left - 1))
        yield
        await self._change(message, lambda one: None if content.last else replace(one, shown=content.digest))

    async def _change(self, message: OutboxMessage, change: Callable[[Receipt], Receipt | None]) -> None:
        """Change a receipt that is still followed; None ends it."""
        async with self.ledger.writing() as tx:
            kept = receipt.load(await tx.mark(MARK))
            one = kept.of(message.key.id, message.place)
            if one is not None:
                changed = change(one)
                rest = kept.without(one.request, one.user)
                await tx.set_mark(MARK, receipt.dump(kept.with_(changed) if changed is not None else rest))
