"""Takes secret values from forms: once per approved request, from its requester only, and stores them nowhere."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from typing import Protocol

from pydantic import SecretStr

from bot.domain.approvals.approval import ApprovalPolicy, RequestState
from bot.domain.approvals.repair import ExecutionResult, RepairRequest, is_id
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Reply
from bot.domain.rbac.access import AccessPolicy, Identity, decide_about
from bot.domain.rbac.roles import Capability
from bot.errors import AccessDenied, AgentpodError, Refused
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger, Writing
from bot.runbook.context import Caller
from bot.services.approvals import request_log
from bot.services.approvals.changes import BOT, claimed, enqueue_messages, value_until
from bot.services.approvals.lease_holder import LeaseLost
from bot.services.approvals.repair_executor import RepairExecutor
from bot.services.approvals.secret_writer import answer, case_id, is_text, only

logger = logging.getLogger("agentpod.repairs")

NO_VALUE = "no value was given in time"


class ApprovalServicePart(Protocol):
    """The parts of `ApprovalService` that `ValueIntake` uses."""

    ledger: Ledger
    clock: Clock
    policy: ApprovalPolicy
    access: AccessPolicy
    executor: RepairExecutor

    def changed(self) -> None:
        """Called after each transaction that enqueues messages."""

    def freshen(self, identity: Identity, /) -> Awaitable[Identity]:
        """Look up the caller's groups and membership anew."""

    async def refused(self, who: str, what: str, rule_: str, /) -> None:
        """Record a refusal in the audit trail."""


@dataclass
class ValueIntake:
    """Checks a value from a form, claims the request, and has the executor store the value."""

    service: ApprovalServicePart

    async def take(self, sink: str, values: Mapping[str, SecretStr], caller: Caller) -> Reply:
        """Store a form's value, if its request waits for it. Never raises: failures become the reply."""
        id_ = case_id(sink)
        how = f"`/agentpod approvals {id_[:40]}` says how it ended."
        try:
            value = self._value(id_, values)
            await self._still_operator(id_, caller)
            repair = await self.claim(id_, caller)
            return answer(await self.service.executor.store(repair, value))
        except LeaseLost:
            return Reply(f"Another process has taken {id_} over: {how}", shareable=False)
        except AgentpodError as error:
            body = (self.service.access.mentioned(error.remedy),) if error.remedy else ()
            return Reply(error.message, body=body, shareable=False)
        except Exception as error:  # no traceback in the log: it could contain the value
            logger.error("storing a value failed: %s", type(error).__name__, extra={"repair": id_[:40]})
            return Reply(f"Something went wrong inside agentpod: {how}", shareable=False)

    async def claim(self, id_: str, caller: Caller) -> RepairRequest:
        """Claim the approved request that the caller gives a value for. Raises `Refused` with the reason."""
        async with self.service.ledger.writing() as tx:
            repair = await tx.request(id_)
            refusal = self._no_value(repair, caller)
            if repair is not None and not refusal:
                repair = await self._claim(tx, repair, caller)
        if repair is None or refusal:
            raise await self._not_given(repair, caller, refusal)
        request_log.claimed(repair, self.service.executor.name)
        self.service.changed()
        return repair

    async def _claim(self, tx: Writing, repair: RepairRequest, caller: Caller) -> RepairRequest:
        now, about = self.service.clock.now(), {"by": self.service.executor.name, "action": repair.action.name}
        await tx.record(now, "execution", caller.identity.user, repair.id, about)
        repair = await tx.save(claimed(repair, self.service.executor.name, now, await tx.now(now)))
        await enqueue_messages(tx, repair)
        return repair

    async def wanted(self, id_: str, caller: Caller) -> RepairRequest:
        """The approved request that waits for this caller's value. Raises `Refused` with the reason."""
        repair = await self.service.ledger.request(id_) if is_id(id_) else None
        refusal = self._no_value(repair, caller)
        if repair is None or refusal:
            raise await self._not_given(repair, caller, refusal)
        return repair

    def _no_value(self, repair: RepairRequest | None, caller: Caller) -> str:
        """Why this caller can't give this request its value now; empty when they can."""
        if repair is None or not repair.action.needs_value:
            return "No request with that id is waiting for a value."
        if repair.request.requester != caller.identity.user:
            return "Only the requester can enter the value."
        if repair.state is RequestState.OPEN:
            return f"{repair.id} is not approved yet."
        if repair.state is not RequestState.APPROVED:
            return f"{repair.id} took its value already, or is over: {repair.state.value}."
        if self.service.clock.now() > value_until(repair, self.service.policy):
            return f"The time to give {repair.id} its value is over."
        if not self.service.executor.knows(repair):
            return f"{repair.target}, which {repair.id} is about, is no longer in the settings."
        if off := self.service.executor.off(repair):
            return f"{repair.id} can't be carried out: {off[0]}."
        return ""

    async def _not_given(self, repair: RepairRequest | None, caller: Caller, refusal: str) -> Refused:
        """Record that the caller may not give a value; returns the error to raise."""
        if repair is not None:
            await self.service.refused(caller.who, repair.id, refusal)
        return Refused(refusal, remedy="Nothing was stored. /agentpod approvals shows what is open.")

    def _value(self, id_: str, values: Mapping[str, SecretStr]) -> SecretStr:
        """The form's value. Raises `Refused` where it is empty or not text, before the request is claimed."""
        if not is_id(id_):
            raise Refused("That form belongs to no request.", remedy="/agentpod approvals lists them.")
        value, again = only(values), f"secrets enter {id_}"
        if value is None:
            raise Refused("The value is empty, so nothing was stored.", remedy=again)
        if not is_text(value):
            raise Refused(
                "The value has half a character in it, so nothing was stored: copy it again.", remedy=again
            )
        return value

    async def _still_operator(self, id_: str, caller: Caller) -> None:
        """Raise `AccessDenied`, and record it, where the caller is no longer an operator."""
        repair, identity = await self.service.ledger.request(id_), await self.service.freshen(caller.identity)
        targets, places = ((repair.target,), repair.places) if repair else ((), ())
        decision = decide_about(self.service.access, identity, Capability.REQUEST, targets, places)
        if decision.allowed:
            return
        await self.service.refused(caller.who, id_, decision.reason)
        raise AccessDenied(
            f"You may not give {id_} its value: {decision.reason}. Nothing was stored.",
            rule=decision.reason,
            remedy=self.service.access.asking(otherwise="an approver"),
        )

    async def expire(self, tx: Writing, repair: RepairRequest) -> RepairRequest | None:
        """End an approved request that got no value in time; None for any other."""
        now = self.service.clock.now()
        if repair.state is not RequestState.APPROVED or now <= value_until(repair, self.service.policy):
            return None
        await tx.record(now, "outcome", BOT, repair.id, {"state": RequestState.FAILED.value, "text": NO_VALUE})
        failed = await tx.save(repair.ended(RequestState.FAILED, ExecutionResult(NO_VALUE, now)))
        await enqueue_messages(tx, failed)
        return failed
