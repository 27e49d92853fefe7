"""Sends each approver of an open request one direct message."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from bot.domain.approvals import approvable, message_keys
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.outbox.preferences import Preferences
from bot.ports.people import People
from bot.services.approvals.approval_service import ApprovalService
from bot.services.approvals.deciders import may_decide


@dataclass
class ApproverMessages:
    """Finds out once per request who is to be asked, and enqueues their messages."""

    service: ApprovalService
    people: People

    async def send(self, found: Sequence[RepairRequest]) -> None:
        """Enqueue the messages about those of ``found``, open requests, that had none.

        Who gets one is saved with the request in the same transaction, so that no other replica sends it again.
        Raises as the ledger and `People` do.
        """
        for one in found:
            if not self.service.policy.message_approvers or not _is_new(one):
                continue
            users = await self._approvers(one)
            async with self.service.ledger.writing() as tx:
                repair = await tx.request(one.id)
                if repair is None or not _is_new(repair):
                    continue
                known = {one.user: one for one in await tx.preferences()}
                chosen = [known.get(user, Preferences(user)) for user in users]
                chosen = [person for person in chosen if person.requests != "never"]
                await tx.save(replace(repair, messaged=tuple(person.user for person in chosen)))
                now = self.service.clock.now()
                for person in chosen:
                    key = message_keys.approver(repair.id, person.user)
                    await tx.enqueue(key, person.user, not_before=person.requests_held_until(now))
            self.service.changed()

    async def _approvers(self, repair: RepairRequest) -> tuple[str, ...]:
        """The people whose approval would count; none where they are too many to be asked one by one."""
        named = approvable.to_message(self.service.access, repair.target, repair.channel)
        groups = [id_ for id_ in named if id_.startswith("S")]
        users = {id_ for id_ in named if id_ not in groups}
        if groups:
            users |= await self.people.members(groups)
        asking = {repair.request.requester, *repair.joined}
        most = self.service.policy.message_approvers
        wanted = sorted(u for u in users - asking if not approvable.excluded(repair, self.service.policy, u))
        if len(wanted) > most:
            return ()
        access = self.service.access
        may = await asyncio.gather(*(may_decide(access, self.people, user, repair) for user in wanted))
        return tuple(user for user, allowed in zip(wanted, may, strict=True) if allowed)


def _is_new(repair: RepairRequest) -> bool:
    return repair.state is RequestState.OPEN and repair.messaged is None
