"""Creates an egress policy that a failed repair left missing, from the manifest stored with that repair.

The approval is bound to that manifest and to the policy's absence. While the policy is there, a second creation
under its name is refused; one that is there with the same rules counts as created. Where the creation's answer was
lost and somebody deletes the policy before it is read again, it is created once more: its absence looks the same
as a call that did not arrive.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from bot.domain.approvals import egress_policy
from bot.domain.approvals.actions.egress_create import EGRESS_CREATE, REPAIRABLE, STEPS
from bot.domain.approvals.actions.egress_repair import EGRESS_REPAIR
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.egress_policy import LRU, MANIFEST, EgressStep, log_of
from bot.domain.approvals.egress_steps import CREATE, TEST, VALID, YES
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.errors import AgentpodError
from bot.services.approvals.actions.egress_steps import (
    APPLY,
    CHECKS,
    SETTLED,
    EgressExecution,
    Round,
    Seen,
    StepFailedError,
    StepRun,
    taken,
    verdict,
)
from bot.services.approvals.actions.execution import inner
from bot.services.approvals.lease_holder import LeaseHolder
from bot.services.health.missing_policy import read_policy


class CreateEgress(EgressExecution):
    """See the module."""

    action = EGRESS_CREATE

    def steps(self, repair: RepairRequest) -> Sequence[str]:  # noqa: ARG002 - always the same
        """See `EgressExecution`."""
        return STEPS

    def step(self, holder: LeaseHolder, name: str) -> StepRun:
        """See `EgressExecution`."""
        return _Step(holder, name)

    async def look(self, repair: RepairRequest, holder: LeaseHolder) -> Seen:
        """See `EgressExecution`: the policy's absence, and the manifest."""
        there = await read_policy(holder.cluster_of(repair.target), repair.subject)
        return Seen(there, egress_policy.absent(repair.details[MANIFEST], there))

    async def against(self, repair: RepairRequest, seen: Seen, holder: LeaseHolder) -> list[str]:
        """See `EgressExecution`. A repair that is under way creates the policy itself."""
        found = EGRESS_CREATE.changes(repair.request.snapshot, seen.snapshot)
        running = await holder.ledger.requests(states={RequestState.EXECUTING}, target=repair.target)
        mine = [
            one.id for one in running if (one.action.name, one.subject) == (EGRESS_REPAIR.name, repair.subject)
        ]
        return [*found, *(f"{id_} (egress repair) is under way" for id_ in mine)]

    async def conclude(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `EgressExecution`."""
        tested = log_of(repair.details).step(TEST)
        text = tested.said if tested is not None else ""
        await holder.conclude(repair, RequestState.SUCCEEDED, ExecutionResult(text, holder.clock.now()))

    async def plan(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `Execution`."""
        cluster = holder.cluster_of(repair.target)
        await read_policy(cluster, repair.subject)
        await self.preview(repair, holder)
        await read_policy(cluster, repair.subject)
        for name in CHECKS:
            await verdict(holder, repair, name)

    async def preview(self, repair: RepairRequest, holder: LeaseHolder, seen: Any = None) -> bool:  # noqa: ARG002
        """See `Execution`."""
        right = egress_policy.right("create", repair.subject)
        cluster = holder.cluster_of(repair.target)
        await cluster.create_object(right, egress_policy.VERSION, json.loads(repair.details[MANIFEST]))
        return True


class _Step(StepRun):
    """One step of one request."""

    @property
    def rounds(self) -> Mapping[str, Round]:
        """See `StepRun`."""
        return {**super().rounds, CREATE: self._create, VALID: self._read_back}

    @property
    def within(self) -> timedelta:
        """See `StepRun`: Cilium judges a policy at once, and the bug of which it says "not yet" stays."""
        return SETTLED if self.name == VALID else super().within

    @property
    def tested(self) -> str:
        """See `StepRun`."""
        return "the policy is there and valid, but:"

    async def _create(self, repair: RepairRequest, step: EgressStep, over: bool) -> tuple[bool, str]:  # noqa: ARG002
        name = repair.subject
        there = await read_policy(self.cluster(repair), name)
        if there is not None and there.deleting:
            return False, f"another {name} is being deleted: something holds it back"
        if there is not None:
            return taken(there, repair, f"{name} is there with the rules of the manifest")
        if over:
            minutes = round(self.within.total_seconds() / 60)
            text = f"{name} is MISSING and egress is open: it was not created within {minutes} min"
            raise StepFailedError(text, APPLY, missing=True)
        await self.create(repair)
        return True, f"{name} was created"

    async def _read_back(self, repair: RepairRequest, step: EgressStep, over: bool) -> tuple[bool, str]:
        """Compare the policy with the manifest, and wait until Cilium takes it."""
        there = await read_policy(self.cluster(repair), repair.subject)
        if there is not None and not there.same_rules(json.loads(repair.details[MANIFEST])):
            text = f"{repair.subject} was created, and its rules are not those of the manifest"
            raise StepFailedError(text, "Run `/agentpod egress`, and compare the policy with the manifest in Git.")
        if there is not None and over and there.valid is False and LRU in there.message:
            text = f"{repair.subject} was created again, and is not valid: {LRU}"
            raise StepFailedError(text, "`/agentpod egress repair` fixes that.", details={REPAIRABLE: YES})
        done, said = await super().rounds[VALID](repair, step, over)
        return done, f"{said}, and it has the rules of the manifest" if done else said

    def gone(self, repair: RepairRequest) -> StepFailedError:
        """See `StepRun`."""
        text = f"{repair.subject} was created, and somebody has deleted it since: egress is open"
        return StepFailedError(text, "Run `/agentpod egress`, and find out who deleted it before you ask again.")

    async def lost(self, repair: RepairRequest, step: EgressStep, error: AgentpodError) -> StepFailedError:
        """See `StepRun`: where the policy is still missing, that is said first."""
        if self.name != CREATE:
            return await super().lost(repair, step, error)
        name = repair.subject
        try:
            there = await read_policy(self.cluster(repair), name)
        except AgentpodError:
            text = f"whether {name} was created is not known; if not, egress is open: {inner(error)}"
            return StepFailedError(text, "Run `/agentpod egress` before you ask again.", missing=True)
        if there is not None:
            return await super().lost(repair, step, error)
        text = f"nothing was changed: {name} is MISSING, egress is open: {inner(error)}"
        return StepFailedError(text, APPLY, missing=True)


EXECUTION = CreateEgress()
