"""Carries out a repair that the runbook declares: commands in the pod, each at most once, and then its check."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.domain.approvals.actions.declared_repair import DECLARED_REPAIR
from bot.domain.approvals.actions.steps_action import snapshot
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.approvals.steps import Plan, log_of
from bot.domain.core.probes import Verdict
from bot.domain.health import judge_pod
from bot.services.approvals.actions.recorded_steps import RecordedSteps, SeenSteps
from bot.services.approvals.lease_holder import LeaseHolder


class RunDeclaredRepair(RecordedSteps):
    """See the module."""

    action = DECLARED_REPAIR

    async def look(self, repair: RepairRequest, holder: LeaseHolder, plan: Plan, *, first: bool) -> SeenSteps:
        """Read the pod, and judge the condition. Raises as `Cluster` does."""
        from bot.services.runbook import declared_repair

        ctx = holder.context_of(repair.target)
        now = await asyncio.to_thread(declared_repair.current_plan, ctx, plan.name, plan.values)
        pods = holder.cluster_of(repair.target).pods(holder.targets[repair.target].selector)
        if now is None:
            gone = f"the runbook has no repair {plan.name} with these parameters any more"
            return SeenSteps(snapshot(plan, judge_pod.current(await pods)), gone)
        if not first:
            return SeenSteps(snapshot(now, judge_pod.current(await pods)))
        found, condition = await asyncio.gather(pods, declared_repair.may_begin(ctx, plan.name, plan.values))
        return SeenSteps(snapshot(now, judge_pod.current(found)), condition=condition)

    async def plan_verify(self, repair: RepairRequest, holder: LeaseHolder, plan: Plan) -> None:
        """See `RecordedSteps`: the check, once."""
        from bot.services.runbook import declared_repair

        await declared_repair.verdict(holder.context_of(repair.target), plan.verify)

    async def verify(self, repair: RepairRequest, holder: LeaseHolder, plan: Plan) -> None:
        """Make the check until it is all right, or its time is over; at least once."""
        from bot.services.runbook import declared_repair

        until = (log_of(repair.details).runs[-1].ended or holder.clock.now()) + timedelta(seconds=plan.within)
        while True:
            finding = await declared_repair.verdict(holder.context_of(repair.target), plan.verify)
            now = holder.clock.now()
            if finding.verdict is Verdict.OK:
                outcome = ExecutionResult(declared_repair.said(finding), now)
                await holder.conclude(repair, RequestState.SUCCEEDED, outcome)
                return
            if now >= until:
                what = "its effect is not known" if finding.verdict is Verdict.UNKNOWN else "it did not help"
                text = f"all steps were run, and {what}: {declared_repair.said(finding)}"
                await holder.end(repair, RequestState.FAILED, text, finding.remedy)
                return
            repair = await holder.sleep(repair, holder.retry)


EXECUTION = RunDeclaredRepair()
