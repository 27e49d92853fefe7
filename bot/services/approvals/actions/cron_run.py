"""Carries out `cron run`: runs a script of the cron once, if it is still there and executable."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.approvals.actions.cron_run import CRON_RUN
from bot.domain.approvals.actions.steps_action import snapshot
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.approvals.steps import Plan, PlannedStep
from bot.domain.core import words
from bot.domain.core.target import Target
from bot.domain.health import judge_pod
from bot.domain.rbac.exec_forms import ExecForm, file_in
from bot.ports.cluster import Cluster
from bot.services.approvals.actions.recorded_steps import RecordedSteps, SeenSteps
from bot.services.approvals.lease_holder import LeaseHolder

NAME = r"[A-Za-z0-9_][A-Za-z0-9_.+@-]{0,99}"
"""The form of a script's name: no folder, and no dash or dot in front."""


@dataclass(frozen=True)
class Runnable:
    """Whether a script can be run; ``holds`` None where nobody can say."""

    holds: bool | None
    why: str = ""


class RunScript(RecordedSteps):
    """See the module."""

    action = CRON_RUN

    async def look(self, repair: RepairRequest, holder: LeaseHolder, plan: Plan, *, first: bool) -> SeenSteps:
        """See `RecordedSteps`."""
        target, cluster = holder.targets[repair.target], holder.cluster_of(repair.target)
        pod = judge_pod.current(await cluster.pods(target.selector))
        now = plan_for(target, plan.name)
        if now is None:
            return SeenSteps(snapshot(plan, pod), "the settings have no crontab for this target any more")
        seen = SeenSteps(snapshot(now, pod))
        if pod is None or pod.uid != repair.request.snapshot.uid or not first:
            return seen
        step = plan.steps[0]
        return SeenSteps(seen.snapshot, condition=await runnable(cluster, pod.name, step.container, step.argv[0]))

    async def verify(self, repair: RepairRequest, holder: LeaseHolder, plan: Plan) -> None:  # noqa: ARG002
        """See `RecordedSteps`: its exit code says all that is known."""
        outcome = ExecutionResult("it ended with exit code 0", holder.clock.now())
        await holder.conclude(repair, RequestState.SUCCEEDED, outcome)

    def place(self, plan: Plan, number: int) -> str:  # noqa: ARG002 - there is one
        """See `RecordedSteps`."""
        return plan.name

    def unknown(self, plan: Plan, number: int, why: str) -> str:  # noqa: ARG002 - there is one
        """See `RecordedSteps`."""
        return (
            f"{plan.name} was sent, and nobody knows how it ended: it may still run, or not have begun. "
            f"It is not repeated: {why}"
        )


async def runnable(cluster: Cluster, pod: str, container: str, path: str) -> Runnable:
    """Whether a file is there and executable. Raises as `Cluster` does."""
    result = await cluster.exec(pod, container, ("test", "-x", path))
    if result.exit_code == 0:
        return Runnable(True)
    name = path.rpartition("/")[2]
    if result.exit_code == 1:
        return Runnable(False, f"{name} is gone, or not executable any more")
    said = words.cut(result.stderr, 160) or f"test ended with exit code {result.exit_code}"
    return Runnable(None, f"not known whether {name} is executable: {said.rstrip('.')}")


def plan_for(target: Target, name: str) -> Plan | None:
    """What running a script means by the settings; None where the target has no crontab."""
    if target.crontab is None:
        return None
    spec = target.container()
    path = f"{target.crontab.folder(spec.home)}/{name}"
    step = PlannedStep(spec.name, (path,), target.crontab.run_within.total_seconds())
    return Plan(name, {}, f"cron run {name}", (step,), "", 0.0)


def exec_forms(target: Target) -> list[ExecForm]:
    """Declare that any script of the folder may be run."""
    if target.crontab is None:
        return []
    spec = target.container()
    script = file_in(target.crontab.folder(spec.home))
    return [ExecForm(spec.name, (script,)), ExecForm(spec.name, ("test", "-x", script))]


EXECUTION = RunScript()
