"""How the repairs of the egress policy go from step to step: each is recorded when it begins and when it ends.

The cluster shows whether a step was made: a pod or policy is deleted by its uid, which takes effect at most once,
and a policy is created under its name. So a process that takes over looks and goes on. The manifest is stored with
the request: it is the same whichever process creates the policy.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bot.domain.approvals import egress_policy
from bot.domain.approvals.approval import RequestState, Snapshot, may_start
from bot.domain.approvals.egress_policy import MANIFEST, EgressPolicy, EgressStep, log_of, with_log
from bot.domain.approvals.egress_steps import AGENT, CREATE, MISSING, NO, POD, POLICY, TEST, VALID, WORK, YES
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.stored import Unreadable
from bot.errors import AgentpodError, Conflict, Transient, Uncertain
from bot.ports.cluster import Cluster
from bot.services.approvals import request_log
from bot.services.approvals.actions.execution import Execution, inner, read
from bot.services.approvals.early_refusals import EarlyRefusals
from bot.services.approvals.lease_holder import LeaseHolder
from bot.services.health.missing_policy import read_policy

CHECKS = ("egress-allows", "egress-blocks")
"""The runbook's checks of `egress test`."""
APPLY = (
    "Create it now: `/agentpod egress repair` asks to create it from the stored manifest. Or save the manifest on "
    "the card as policy.json, then `kubectl apply -f policy.json`."
)
LOOK = {
    AGENT: "Look at the Cilium agent before you ask again: "
    "kubectl get pods -n kube-system -l k8s-app=cilium -o wide.",
    POLICY: "Run `/agentpod egress` before you ask again.",
    CREATE: "Run `/agentpod egress` before you ask again.",
    VALID: "Run `/agentpod egress` before you ask again.",
    POD: "Run `/agentpod status` before you ask again.",
    TEST: "Run `/agentpod egress test` before you ask again.",
}
"""Where to look after a step that did not end in time."""
SETTLED = timedelta(minutes=1)
"""How long the checks may take to be all right once the pod is ready."""


@dataclass(frozen=True)
class Seen:
    """The policy, and what an approval is bound to."""

    policy: EgressPolicy | None
    snapshot: Snapshot


async def verdict(holder: LeaseHolder, repair: RepairRequest, name: str) -> Finding:
    """Make one of the runbook's checks."""
    from bot.services.runbook import declared_repair  # the engine is loaded at its first use

    return await declared_repair.verdict(holder.context_of(repair.target), name)


class StepFailedError(Exception):
    """A step failed for good, and the rest is not done."""

    def __init__(
        self,
        text: str,
        remedy: str | None = None,
        *,
        missing: bool = False,
        details: Mapping[str, str] | None = None,
    ) -> None:
        """``missing``: the policy isn't there, or nobody knows. ``details`` are added to the request's."""
        super().__init__(text)
        self.text, self.remedy, self.missing, self.details = text, remedy, missing, details or {}


Round = Callable[[RepairRequest, EgressStep, bool], Coroutine[Any, Any, tuple[bool, str]]]
"""Takes a step once, as far as it comes: whether it is made, and what came of it so far.

The last argument: its time is over.
"""


class EgressExecution(Execution):
    """See the module."""

    @abstractmethod
    def steps(self, repair: RepairRequest) -> Sequence[str]:
        """The names of the steps, in order."""

    @abstractmethod
    def step(self, holder: LeaseHolder, name: str) -> StepRun:
        """What carries one of them out."""

    @abstractmethod
    async def look(self, repair: RepairRequest, holder: LeaseHolder) -> Seen:
        """Read what the approval is bound to. Raises as `Cluster` does."""

    @abstractmethod
    async def against(self, repair: RepairRequest, seen: Seen, holder: LeaseHolder) -> list[str]:
        """What voids the approval, before the first step. Raises as the ledger does."""

    @abstractmethod
    async def conclude(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """End a request of which all steps were made."""

    def look_ahead(self, repair: RepairRequest, holder: LeaseHolder) -> Awaitable[Any] | None:
        """See `Execution`."""
        return self.look(repair, holder)

    async def carry_out(
        self,
        repair: RepairRequest,
        holder: LeaseHolder,
        look: Awaitable[Any] | None,
        *,
        sent: bool,  # noqa: ARG002 - the record of the steps says what may have been sent
    ) -> None:
        """See `Execution`."""
        try:
            begun = bool(log_of(repair.details).steps)
        except Unreadable:
            text = "this version can't read what was done so far: look whether the policy is there"
            await holder.end(repair, RequestState.FAILED, text, "egress")
            return
        if not begun:
            repair = await self._first_look(repair, holder, look)
        for name in self.steps(repair):
            if repair.state.final:
                return
            step = log_of(repair.details).step(name)
            if step is None or step.ended is None:
                repair = await self.step(holder, name).run(repair)
        if not repair.state.final:
            await self.conclude(repair, holder)

    async def _first_look(
        self, repair: RepairRequest, holder: LeaseHolder, look: Awaitable[Any] | None
    ) -> RepairRequest:
        """Compare with what was approved before the first step; end the request where it may not begin."""
        refusals = EarlyRefusals(holder.settling)
        while True:
            in_time = may_start(repair.request, holder.policy, holder.clock.now())
            try:
                seen = await read(look or self.look(repair, holder))
                found = [*holder.off(repair), *await self.against(repair, seen, holder)]
            except AgentpodError as error:
                if not (isinstance(error, Transient) or refusals.may_pass(error)) or not in_time:
                    text = f"nothing was changed: {inner(error)}"
                    return await holder.end(repair, RequestState.FAILED, text, error.remedy)
            else:
                if found:
                    return await holder.end(repair, RequestState.VOID, "; ".join(found))
                if in_time and look is None:  # not read at the approval, but later
                    await holder.judge_again(repair, seen)
                if in_time:
                    return repair
                minutes = round(holder.policy.start_within.total_seconds() / 60)
                text = f"it was not begun within {minutes} min of the approval: nothing was changed"
                return await holder.end(repair, RequestState.FAILED, text)
            look, repair = None, await holder.sleep(repair, holder.retry)


@dataclass(frozen=True)
class StepRun:
    """One step of one request."""

    holder: LeaseHolder
    name: str

    @property
    def rounds(self) -> Mapping[str, Round]:
        """How each step is taken."""
        return {VALID: self._valid, TEST: self._test}

    async def uid(self, repair: RepairRequest) -> str:  # noqa: ARG002 - most delete nothing
        """The uid of what the step deletes; empty where it deletes nothing. Raises `StepFailedError`."""
        return ""

    async def lost(self, repair: RepairRequest, step: EgressStep, error: AgentpodError) -> StepFailedError:  # noqa: ARG002
        """What is said of a step that failed with an error."""
        return StepFailedError(f"{WORK[self.name]} failed: {inner(error)}", error.remedy)

    @property
    def within(self) -> timedelta:
        """How long the step may take."""
        return SETTLED if self.name == TEST else self.holder.policy.follow_for

    def cluster(self, repair: RepairRequest) -> Cluster:
        """The target's cluster."""
        return self.holder.cluster_of(repair.target)

    async def run(self, repair: RepairRequest) -> RepairRequest:
        """Make the step, or go on with it; end the request where it fails."""
        holder, log = self.holder, log_of(repair.details)
        if log.step(self.name) is None:
            try:
                uid = await self._begin(repair)
            except StepFailedError as failed:
                return await self._failed(repair, failed)
            began = with_log(repair.details, log.began(self.name, holder.clock.now(), uid))
            data = {"step": self.name, "begins": True}
            repair = await holder.save(replace(repair, details=began), "execution", data, card=True)
        step = log_of(repair.details).step(self.name)
        if step is None:
            raise AssertionError(f"{self.name} was not recorded")
        try:
            repair, said = await self._made(repair, step)
        except StepFailedError as failed:
            return await self._failed(repair, failed)
        ended = with_log(repair.details, log_of(repair.details).ended(holder.clock.now(), said))
        data = {"step": self.name, "result": said}
        noted = replace(repair, details=ended, sent_at=repair.sent_at or holder.clock.now())
        return await holder.save(noted, "execution", data, card=True)

    async def _begin(self, repair: RepairRequest) -> str:
        """The uid of what the step deletes; see `uid`."""
        until = self.holder.clock.now() + self.holder.policy.follow_for
        refusals = EarlyRefusals(self.holder.settling)
        while True:
            try:
                return await self.uid(repair)
            except AgentpodError as error:
                if not self._may_pass(error, refusals) or self.holder.clock.now() > until:
                    text = f"{WORK[self.name]} was not begun: {inner(error)}"
                    raise StepFailedError(text, error.remedy) from error
            repair = await self.holder.sleep(repair, self.holder.retry)

    async def _failed(self, repair: RepairRequest, failed: StepFailedError) -> RepairRequest:
        """End the request; the card says besides what was done and what was not."""
        now, remedy = self.holder.clock.now(), (failed.remedy,) if failed.remedy else ()
        details = {**repair.details, **failed.details}
        if failed.missing:
            details[MISSING] = YES
        elif log_of(details).step(self.name) is not None and self.name == POLICY:
            details[MISSING] = NO
        sent = repair.sent_at or (now if failed.missing and self.name != CREATE else None)
        ended = replace(repair, details=details, sent_at=sent)
        result = ExecutionResult(failed.text, now, remedy, "egress")
        return await self.holder.conclude(ended, RequestState.FAILED, result)

    async def _made(self, repair: RepairRequest, step: EgressStep) -> tuple[RepairRequest, str]:
        """Repeat the step's round until it says what came of it. Raises `StepFailedError`."""
        holder, until, take = self.holder, step.began + self.within, self.rounds[self.name]
        refusals, said = EarlyRefusals(holder.settling), ""
        while True:
            over = holder.clock.now() > until
            try:
                done, said = await take(repair, step, over)
                if done:
                    return repair, said
                error: AgentpodError | None = None
            except Uncertain as unsure:
                request_log.unsure(repair, unsure.message)
                error = unsure
            except AgentpodError as refused:
                error = refused
            finally:
                holder.answered(repair)
            if error is not None and (over or not self._may_pass(error, refusals)):
                raise await self.lost(repair, step, error)
            if error is None and over:
                raise StepFailedError(said, LOOK[self.name])
            repair = await holder.renewed(await holder.sleep(repair, holder.tick))

    def _may_pass(self, error: AgentpodError, refusals: EarlyRefusals) -> bool:
        return isinstance(error, Transient | Conflict | Uncertain) or refusals.may_pass(error)

    # -- the rounds of both repairs

    async def create(self, repair: RepairRequest) -> None:
        """Create the policy from the stored manifest. Raises as `Cluster` does."""
        repair = await self.holder.renewed(repair)
        right = egress_policy.right("create", repair.subject)
        manifest = json.loads(repair.details[MANIFEST])
        call = self.cluster(repair).create_object(right, egress_policy.VERSION, manifest)
        await self.holder.leased_during(repair, call)

    async def _valid(self, repair: RepairRequest, step: EgressStep, over: bool) -> tuple[bool, str]:  # noqa: ARG002
        there = await read_policy(self.cluster(repair), repair.subject)
        if there is None:
            raise self.gone(repair)
        if there.valid:
            return True, "Cilium accepts it"
        if there.wrong_rule:
            raise StepFailedError(
                f"{repair.subject} was created again, and Cilium does not take it: {there.message}",
                "Correct that rule in the policy's manifest in Git, and apply it.",
            )
        why = there.message or "Cilium has not judged it"
        return False, f"{repair.subject} was created again, and is not valid: {why}"

    def gone(self, repair: RepairRequest) -> StepFailedError:
        """What is said where the policy was created and isn't there."""
        return StepFailedError(f"{repair.subject} is MISSING and egress is open", APPLY, missing=True)

    async def _test(self, repair: RepairRequest, step: EgressStep, over: bool) -> tuple[bool, str]:  # noqa: ARG002
        from bot.services.runbook import declared_repair

        findings = [await verdict(self.holder, repair, name) for name in CHECKS]
        if await read_policy(self.cluster(repair), repair.subject) is None:  # deleted meanwhile
            raise self.gone(repair)
        said = "; ".join(declared_repair.said(one) for one in findings)
        good = all(one.verdict is Verdict.OK for one in findings)
        return good, said if good else f"{self.tested} {said}"

    @property
    def tested(self) -> str:
        """What comes before the results of checks that failed."""
        return "the policy is valid and the pod is ready, but:"


def taken(there: EgressPolicy, repair: RepairRequest, said: str) -> tuple[bool, str]:
    """What is said of a policy that is there under the name already. Raises `StepFailedError` for other rules."""
    if there.same_rules(json.loads(repair.details[MANIFEST])):
        return True, said
    text = f"{repair.subject} was created by somebody else with other rules: it is not overwritten"
    raise StepFailedError(text, "Compare it with the manifest in Git.")
