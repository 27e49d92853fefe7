"""Requests and decisions of dry runs: nothing is recorded, and what would be posted and called is planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState, Rule, Ruling
from bot.domain.approvals.repair import SHELL, Asked, Lease, Proposal, RepairRequest
from bot.domain.core.object_diff import FieldChange
from bot.domain.core.planned import REQUEST, PlannedCalls, unread
from bot.domain.core.reply import Line, Mention
from bot.errors import UsageError
from bot.ports.cluster import Cluster, TrialRead
from bot.runbook.context import Caller
from bot.services.approvals.approval_messages import posted
from bot.services.approvals.approval_service import NO_REQUEST, ApprovalService

if TYPE_CHECKING:
    from bot.services.health.reads import CheckContext


@dataclass
class PlannedRepairs:
    """Takes requests and decisions as `ApprovalService` does, and only plans what follows."""

    service: ApprovalService
    calls: PlannedCalls
    cluster_of: Callable[[str], Cluster]
    context_of: Callable[[str], CheckContext]

    @property
    def policy(self) -> ApprovalPolicy:
        """See `ApprovalService`."""
        return self.service.policy

    async def ask(self, proposal: Proposal, target: str, caller: Caller) -> Asked:
        """Plan the card and, once it is approved, the calls."""
        made = self.service.proposed(proposal, target, caller)
        facts = tuple((label, unread(value)) for label, value in made.facts)
        request = replace(made.request, id=REQUEST)
        repair = replace(made, request=request, facts=facts, effect=unread(made.effect))
        shown = posted(repair, self.service.access, self.policy)
        lines = [f"{fact.label}: {_text(fact.value)}" for fact in shown.facts]
        self.calls.heading("Slack")
        self.calls.call(f"post the card in {repair.channel}", shown.headline, *map(_text, shown.body), *lines)
        await self._carried_out(repair, "Once it is approved")
        return Asked(repair, joined=False)

    async def tried(
        self, proposal: Proposal, target: str, caller: Caller, read: TrialRead | None = None
    ) -> Sequence[FieldChange] | None:
        """Plan the dry run that the API server is asked for."""
        made = self.service.proposed(proposal, target, caller)
        now = self.service.clock.now()
        read = read or TrialRead(await self.cluster_of(target).trial(), None)
        trial = read.trial
        repair = replace(made, request=replace(made.request, id=REQUEST), held=Lease("", now, now))
        await self.service.executor.on(lambda _: trial.cluster).preview(repair, read.seen)
        return None

    async def find(self, id_: str) -> RepairRequest | None:
        """See `ApprovalService`."""
        return await self.service.find(id_)

    async def decide(
        self,
        id_: str,
        choice: Choice,
        caller: Caller,
        reason: str = "",  # noqa: ARG002 - nothing is recorded
    ) -> tuple[Ruling, RepairRequest]:
        """Plan the record, the card and, for an approval, the calls."""
        repair = await self.service.find(id_)
        if repair is None:
            raise UsageError(NO_REQUEST, remedy="/agentpod approvals lists those that wait.")
        self.calls.heading("Ledger and Slack")
        self.calls.call(f"record that {caller.who} decides {choice.value} on {id_}")
        self.calls.call(f"edit the card of {id_} in {repair.channel}")
        if choice in (Choice.APPROVE, Choice.BREAK_GLASS):
            await self._carried_out(repair, "If the decision counts, and no further one is needed")
        return Ruling(Rule.COUNTED, RequestState.OPEN), repair

    async def may_give_value(self, id_: str, caller: Caller) -> RepairRequest:
        """See `ApprovalService`."""
        return await self.service.may_give_value(id_, caller)

    async def _carried_out(self, repair: RepairRequest, when: str) -> None:
        now = self.service.clock.now()
        held = replace(repair, held=Lease("", now, now))
        executor = self.service.executor.on(self.cluster_of, lambda target: self.context_of(target.name))
        self.calls.heading(when)
        if repair.action.needs_value:
            self.calls.call(f"send {repair.request.requester} a form for the value")
        await executor.executions[repair.action.name].plan(held, executor)
        self.calls.heading("Slack")
        requester = repair.request.requester
        told = "" if requester.startswith(SHELL) else f", and message {requester} with the outcome"
        self.calls.call(f"edit the card in {repair.channel}{told}")


def _text(line: Line) -> str:
    parts = [line] if isinstance(line, str) else line
    return "".join(part.id if isinstance(part, Mention) else part for part in parts)
