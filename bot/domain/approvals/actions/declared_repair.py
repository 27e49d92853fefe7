"""A repair that the target's runbook declares: commands in the pod, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.approvals.actions.action import Wanted
from bot.domain.approvals.actions.steps_action import StepsAction, outcome_of
from bot.domain.approvals.approval import Snapshot
from bot.domain.approvals.steps import log_of, plan_of
from bot.domain.core import words
from bot.domain.core.reply import Button
from bot.domain.core.stored import Unreadable


class DeclaredRepair(StepsAction):
    """See the module."""

    name = "declared-repair"
    edited = "its entry in the runbook was changed"
    mends = StepsAction.mends | {"restarts", "storage"}

    def bound_to(self, snapshot: Snapshot) -> str:  # noqa: ARG002 - the same for each
        """See `RepairAction`."""
        return "the pod, its container or the runbook's entry"

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`."""
        return (Button("Status", f"status --target {words.quoted(wanted.target)}"),)

    def results(self, wanted: Wanted) -> Sequence[tuple[str, str]]:
        """See `RepairAction`."""
        plan = plan_of(wanted.details)
        try:
            runs = log_of(wanted.details).runs
        except Unreadable:
            return ()
        if plan is None:
            return ()
        steps = [
            (f"Step {number} of {len(plan.steps)}", f"{step}: {outcome_of(run, wanted.state)}")
            for number, (step, run) in enumerate(zip(plan.steps, runs, strict=False), 1)
        ]
        return [*steps, ("Then checked", wanted.done_as)] if wanted.done_as else steps

    def audited(self, wanted: Wanted) -> Mapping[str, object]:
        """See `RepairAction`."""
        plan = plan_of(wanted.details)
        if plan is None:
            return {}
        steps = [{"container": step.container, "argv": list(step.argv)} for step in plan.steps]
        return {"called": wanted.subject, "parameters": dict(plan.values), "steps": steps, "verify": plan.verify}


DECLARED_REPAIR = DeclaredRepair()
