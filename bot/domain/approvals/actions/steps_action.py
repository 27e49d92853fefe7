"""The base of repairs that run commands in the pod, of which each is recorded before it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from bot.domain.approvals.actions.action import RepairAction, Wanted, with_reason
from bot.domain.approvals.approval import RequestState, Snapshot
from bot.domain.approvals.steps import Plan, StepRun, log_of, plan_of
from bot.domain.core import words
from bot.domain.core.stored import Unreadable
from bot.domain.core.target import Target
from bot.domain.core.workload import Pod, Right


class StepsAction(RepairAction):
    """See the module. Its subject is the command line without the reason; its details hold the plan."""

    title = "{subject} on {target}"
    done = "Done: {subject} on {target}"
    edited: ClassVar[str]
    """What is said where the plan would be another one now."""

    def changes(self, approved: Snapshot, now: Snapshot) -> list[str]:
        """See `RepairAction`."""
        if approved.uid != now.uid:
            before, after = (_name(one) for one in (approved, now))
            gone = f"the pod is gone ({before})" if before else "the pod is gone"
            return [f"the pod was replaced ({before} → {after})" if after else gone]
        found = [self.edited] if approved.version != now.version else []
        if approved.generation != now.generation or approved.images != now.images:
            containers = words.listed([name for name, _ in approved.images])
            found.append(f"{containers} {'was' if len(approved.images) == 1 else 'or one of them was'} restarted")
        return found

    def again_line(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        plan = plan_of(wanted.details)
        return with_reason(plan.line, wanted) if plan is not None else ""

    def called(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return wanted.subject

    def output(self, wanted: Wanted) -> Sequence[str]:
        """See `RepairAction`."""
        plan = plan_of(wanted.details)
        try:
            runs = log_of(wanted.details).runs
        except Unreadable:
            return ()
        if plan is None or not runs or len(runs) > len(plan.steps):
            return ()
        last = runs[-1]
        if last.ended is None or last.exit_code in plan.steps[len(runs) - 1].ok:
            return ()
        return ("… what it printed before is left out", *last.output) if last.cut else last.output

    def rights(self, target: Target) -> Sequence[Right]:  # noqa: ARG002 - the same for each
        """See `RepairAction`."""
        return [
            Right("list", "pods"),
            Right("get", "pods", subresource="exec"),
            Right("create", "pods", subresource="exec"),
        ]


def snapshot(plan: Plan, pod: Pod | None) -> Snapshot:
    """What an approval of the plan is bound to: the plan, the pod, and the containers in which commands run."""
    names = list(dict.fromkeys(step.container for step in plan.steps))
    found = [one for name in names if pod is not None and (one := pod.container(name)) is not None]
    return Snapshot(
        pod.uid if pod is not None else "",
        sum(one.restarts for one in found),
        tuple((one.name, one.image) for one in found),
        ((pod.name, pod.uid),) if pod is not None else (),
        plan.digest,
        "pod",
    )


def _name(snapshot: Snapshot) -> str:
    return ", ".join(name for name, _ in snapshot.pods)


def outcome_of(run: StepRun, state: RequestState) -> str:
    """What came of a step, in words."""
    if run.ended is None and not state.final:
        return f"runs since {words.clock(run.began)}"
    if run.ended is None:
        return "nobody knows whether it ran"
    took = words.took((run.ended - run.began).total_seconds())
    return f"exit code {run.exit_code}, {took}"
