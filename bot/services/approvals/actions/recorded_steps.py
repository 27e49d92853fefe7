"""Carries out commands in the pod, each at most once: the base of declared repairs and of `cron run`.

A command in a container carries no id by which its effect could be found again. So each step is recorded in the
ledger before it is sent. A process that takes over and finds a step begun without an end reports that nobody knows
whether it ran, and runs nothing more.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from bot.domain.approvals.actions.steps_action import StepsAction
from bot.domain.approvals.approval import RequestState, Snapshot, may_start
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.approvals.steps import Plan, PlannedStep, StepLog, log_of, plan_of, time_before, with_log
from bot.domain.core.stored import Unreadable
from bot.errors import AgentpodError, Transient, Uncertain
from bot.services.approvals import request_log
from bot.services.approvals.actions.execution import Execution, defect, inner, read
from bot.services.approvals.early_refusals import EarlyRefusals
from bot.services.approvals.lease_holder import LeaseHolder, LeaseLost

logger = logging.getLogger("agentpod.repairs")
_LEFT_OUT = "The output is left out: something in it looks like a secret."
NOBODY_KNOWS = "nobody knows whether it ran"


class MayBegin(Protocol):
    """Whether the first step may be run now; None where nobody can say."""

    @property
    def holds(self) -> bool | None: ...

    @property
    def why(self) -> str: ...


@dataclass(frozen=True)
class SeenSteps:
    """The target as it is now."""

    snapshot: Snapshot
    gone: str = ""
    """Why there is nothing of the kind to be done any more."""
    condition: MayBegin | None = None
    """None: not read, since a step was run already, or there is none."""


class RecordedSteps(Execution):
    """See the module."""

    action: ClassVar[StepsAction]

    @abstractmethod
    async def look(self, repair: RepairRequest, holder: LeaseHolder, plan: Plan, *, first: bool) -> SeenSteps:
        """Read what the approval is bound to, and before the ``first`` step its condition. Raises as `Cluster`."""

    @abstractmethod
    async def verify(self, repair: RepairRequest, holder: LeaseHolder, plan: Plan) -> None:
        """End a request of which all steps were run."""

    async def plan_verify(self, repair: RepairRequest, holder: LeaseHolder, plan: Plan) -> None:
        """Make the calls of `verify` in order, for a dry run."""

    def place(self, plan: Plan, number: int) -> str:
        """What a step is called in a sentence."""
        return f"step {number + 1} of {len(plan.steps)}"

    def unknown(self, plan: Plan, number: int, why: str) -> str:
        """What is said where a step may have run, and nobody knows how it ended."""
        rest = "" if number + 1 == len(plan.steps) else "; the steps after it were not run"
        place = f"{self.place(plan, number)} ({plan.steps[number]})"
        return f"{place}: {NOBODY_KNOWS}, and it is not repeated{rest}: {why}"

    def look_ahead(self, repair: RepairRequest, holder: LeaseHolder) -> Awaitable[Any] | None:
        """See `Execution`."""
        plan = plan_of(repair.details)
        return None if plan is None else self.look(repair, holder, plan, first=True)

    async def plan(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `Execution`: what is read before the first step, each step, and what comes after the last."""
        plan = plan_of(repair.details)
        if plan is None:
            return
        cluster, target = holder.cluster_of(repair.target), holder.targets[repair.target]
        await self.look(repair, holder, plan, first=True)
        for number, step in enumerate(plan.steps):
            if number:
                await cluster.pods(target.selector)
            pod = repair.request.snapshot.pods[0][0]
            await cluster.run_once(pod, step.container, step.argv, seconds=step.seconds)
        await self.plan_verify(repair, holder, plan)

    async def carry_out(
        self,
        repair: RepairRequest,
        holder: LeaseHolder,
        look: Awaitable[Any] | None,
        *,
        sent: bool,  # noqa: ARG002 - the record of the steps says what may have been sent
    ) -> None:
        """See `Execution`."""
        plan, log = plan_of(repair.details), _log(repair)
        if plan is None or log is None:
            text = f"this version can't read what was to be done; {NOBODY_KNOWS}"
            await holder.end(repair, RequestState.FAILED, text)
            return
        if log.unknown:
            await self.end_unknown(repair, holder, plan, "the bot ended before it had the result")
            return
        for number in range(len(log.runs), len(plan.steps)):
            repair = await _Step(self, holder, plan, number).run(repair, look)
            look = None
            if repair.state.final:
                return
        await self.verify(repair, holder, plan)

    async def end_unknown(self, repair: RepairRequest, holder: LeaseHolder, plan: Plan, why: str) -> RepairRequest:
        """End a request of which a step may have run. It is not repeated, and the steps after it are not run."""
        begun = max(len(log_of(repair.details).runs), 1)
        text = self.unknown(plan, begun - 1, why)
        return await holder.end(repair, RequestState.FAILED, text, "Look before you ask again.")


def _log(repair: RepairRequest) -> StepLog | None:
    try:
        return log_of(repair.details)
    except Unreadable:
        return None


class _NotRunError(Exception):
    """A step was certainly not run; ``error`` says why."""

    def __init__(self, error: AgentpodError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True)
class _Step:
    """One step of one request."""

    execution: RecordedSteps
    holder: LeaseHolder
    plan: Plan
    number: int

    @property
    def _step(self) -> PlannedStep:
        return self.plan.steps[self.number]

    def _look(self, repair: RepairRequest) -> Awaitable[SeenSteps]:
        return self.execution.look(repair, self.holder, self.plan, first=self.number == 0)

    async def run(self, repair: RepairRequest, look: Awaitable[Any] | None) -> RepairRequest:
        """Run the step once, or end the request where that may not be, or its end is not as it should be."""
        refusals = EarlyRefusals(self.holder.settling)
        while True:
            try:
                seen = await read(look or self._look(repair))
            except AgentpodError as unread:
                error = unread
            else:
                if (against := self._against(repair, seen)) is not None:
                    return await self.holder.end(repair, *against)
                if look is None and self.number == 0:  # not read at the approval, but later
                    await self.holder.judge_again(repair, seen.snapshot)
                try:
                    return await self._sent(repair)
                except _NotRunError as not_run:  # what the ledger raises is not caught: the step may have run
                    error = not_run.error
            passing = isinstance(error, Transient) or refusals.may_pass(error)
            if not passing or not self._in_time(repair):
                return await self._not_run(repair, inner(error), error.remedy)
            repair = await self.holder.sleep(repair, getattr(error, "retry_after", None) or self.holder.retry)
            look, repair = None, await self.holder.renewed(repair)

    async def _sent(self, repair: RepairRequest) -> RepairRequest:
        """Record that the step begins, run it, and record its end; end the request where that isn't good.

        Raises `_NotRunError` for a command that was certainly not run.
        """
        holder, step, before = self.holder, self._step, log_of(repair.details)
        began = replace(repair, details=with_log(repair.details, before.began(holder.clock.now())))
        data = {"step": self.number + 1, "container": step.container, "argv": list(step.argv), "begins": True}
        began = await holder.save(began, "execution", data)
        pod = repair.request.snapshot.pods[0][0]
        cluster = holder.cluster_of(repair.target)
        try:
            call = cluster.run_once(pod, step.container, step.argv, seconds=step.seconds)
            result = await holder.leased_during(began, call)
        except Uncertain as error:
            request_log.unsure(began, error.message)
            return await self.execution.end_unknown(began, holder, self.plan, inner(error))
        except AgentpodError as error:
            await holder.save(replace(began, details=repair.details), "execution", {**data, "begins": False})
            raise _NotRunError(error) from error
        except LeaseLost:
            raise
        except Exception as error:
            logger.exception("a step of a repair ended in an unexpected error", extra={"repair": repair.id})
            why = defect(error)
            request_log.unsure(began, why)
            return await self.execution.end_unknown(began, holder, self.plan, why)
        finally:
            holder.answered(repair)
        lines = [*result.stdout.split("\n"), *result.stderr.split("\n")]
        outside = holder.context_of(repair.target).outside
        clean = (await asyncio.to_thread(outside.lines, lines)).lines
        now, truncated = holder.clock.now(), result.truncated
        log = log_of(began.details).ended(now, result.exit_code, clean, truncated=truncated)
        record = with_log(repair.details, log)
        if outside.of(record) != record:  # the ledger would redact the record as a whole, and nobody could read it
            log = log_of(began.details).ended(now, result.exit_code, [_LEFT_OUT])
        ended = replace(began, details=with_log(began.details, log), sent_at=began.sent_at or holder.clock.now())
        said = {"step": self.number + 1, "exit_code": result.exit_code, "output": list(log.runs[-1].output)}
        if log.runs[-1].cut:
            said["output_cut"] = True
        saved = await holder.save(ended, "execution", said)
        if self.number == 0:
            request_log.sent(saved)
        return saved if result.exit_code in step.ok else await self._failed(saved, log)

    def _against(self, repair: RepairRequest, seen: SeenSteps) -> tuple[RequestState, str] | None:
        """Why the step must not be run, with the state to end in; None where it may."""
        changes = self.execution.action.changes
        found = [seen.gone] if seen.gone else changes(repair.request.snapshot, seen.snapshot)
        if found and self.number:
            return RequestState.FAILED, f"{self._place} was not run: {'; '.join(found)}"
        if found:
            return RequestState.VOID, "; ".join(found)
        if seen.condition is not None and not seen.condition.holds:
            if seen.condition.holds is False:
                return RequestState.VOID, seen.condition.why
            return RequestState.FAILED, f"nothing was changed: {seen.condition.why}"
        if not self._in_time(repair):
            minutes = round(self.holder.policy.start_within.total_seconds() / 60)
            late = f"it was not begun within {minutes} min of the approval: nothing was changed"
            return RequestState.FAILED, f"{self._place} was not run: it is too late" if self.number else late
        return None

    def _in_time(self, repair: RepairRequest) -> bool:
        """Whether the step may still begin: the time for steps before it comes on top."""
        now = self.holder.clock.now() - time_before(self.plan, self.number)
        return may_start(repair.request, self.holder.policy, now)

    @property
    def _place(self) -> str:
        return self.execution.place(self.plan, self.number)

    async def _not_run(self, repair: RepairRequest, why: str, remedy: str | None) -> RepairRequest:
        text = f"{self._place} was not run: {why}" if self.number else f"nothing was changed: {why}"
        return await self.holder.end(repair, RequestState.FAILED, text, remedy)

    async def _failed(self, repair: RepairRequest, log: StepLog) -> RepairRequest:
        """End the request: the step's exit code is none of those that count as success."""
        last = log.runs[-1]
        rest = "" if self.number + 1 == len(self.plan.steps) else "; the steps after it were not run"
        text = f"{self._place} ended with exit code {last.exit_code}{rest}"
        outcome = ExecutionResult(text, self.holder.clock.now(), advice="status")
        return await self.holder.conclude(repair, RequestState.FAILED, outcome)
