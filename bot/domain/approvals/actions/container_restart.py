"""Restart of one container: its main process is ended, and the kubelet starts it again in the same pod."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from bot.domain.approvals.actions.action import RESTART_KEY, RepairAction, Wanted, restart_line
from bot.domain.approvals.approval import RequestState, Snapshot
from bot.domain.approvals.steps import Plan, PlannedStep, StepRun, log_of, plan_of
from bot.domain.core import words
from bot.domain.core.reply import Button
from bot.domain.core.stored import Unreadable
from bot.domain.core.target import ContainerTarget, Target
from bot.domain.core.workload import Container, Pod, Right

SECONDS = 10.0
"""Deadline of the command that ends the main process."""
MARGIN = timedelta(seconds=15)
"""How long the kubelet may take to report that a container ended, on top of the pod's grace period."""


class ContainerRestart(RepairAction):
    """See the module. Its subject is the container's name; its details hold the command as a plan."""

    name = "restart --container"
    title = "Restart of {subject} in {target}"
    done = "Restarted {subject} in {target}"
    restarts = True
    mends = RepairAction.mends | {"restarts"}

    def exclusive(self, wanted: Wanted) -> str:  # noqa: ARG002 - one at a time, whatever the request
        """See `RepairAction`: one restart of a target at a time, of any kind."""
        return RESTART_KEY

    def changes(self, approved: Snapshot, now: Snapshot) -> list[str]:
        """See `RepairAction`."""
        if approved.uid != now.uid:
            before, after = (", ".join(name for name, _ in one.pods) for one in (approved, now))
            return [f"the pod was replaced ({before} → {after})" if after else f"the pod is gone ({before})"]
        (name, image), then = approved.images[0], dict(now.images)
        if name not in then:
            return [f"{name} is gone from the pod"]
        found = [] if then[name] == image else [f"the image of {name} was changed ({image} → {then[name]})"]
        if approved.generation != now.generation:
            found.append(f"{name} was restarted (restart count {approved.generation} → {now.generation})")
        if approved.version != now.version:
            found.append("the command that ends its main process was changed")
        return found

    def bound_to(self, snapshot: Snapshot) -> str:  # noqa: ARG002 - the same for each
        """See `RepairAction`."""
        return "the pod, the container or its image"

    def effect(self, pod: Pod, container: str) -> str:
        """What will happen."""
        others = [one.name for one in pod.lasting if one.name != container]
        stay = f"{words.listed([*others, 'the volumes'])} stay" if others else "The pod and its volumes stay"
        return f"Ends the main process of {container}; the kubelet starts it again. {stay}."

    def again_line(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return f"{restart_line(wanted.reason, wanted.target)} --container {words.quoted(wanted.subject)}"

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:  # noqa: ARG002 - the same for each
        """None: the restart is complete."""
        return ()

    def called(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return f"restart --container {wanted.subject}"

    def container(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return wanted.subject

    def results(self, wanted: Wanted) -> Sequence[tuple[str, str]]:
        """See `RepairAction`."""
        plan, run = plan_of(wanted.details), _run(wanted)
        if plan is None or run is None:
            return ()
        found = [("Command", f"{plan.steps[0]}: {_outcome(run, wanted.state)}")]
        return [*found, ("Restart count", wanted.done_as)] if wanted.done_as else found

    def output(self, wanted: Wanted) -> Sequence[str]:
        """See `RepairAction`."""
        run = _run(wanted)
        return run.output if run is not None and run.exit_code and wanted.state is RequestState.FAILED else ()

    def audited(self, wanted: Wanted) -> Mapping[str, object]:
        """See `RepairAction`."""
        plan = plan_of(wanted.details)
        steps = [{"container": one.container, "argv": list(one.argv)} for one in plan.steps] if plan else []
        return {"called": self.called(wanted), "steps": steps}

    def rights(self, target: Target) -> Sequence[Right]:  # noqa: ARG002 - the same for each
        """See `RepairAction`."""
        return [
            Right("list", "pods"),
            Right("get", "pods", subresource="exec"),
            Right("create", "pods", subresource="exec"),
        ]


def plan(container: ContainerTarget, pod: Pod) -> Plan:
    """The command that ends the container's main process; ``within`` is how long that may take."""
    step = PlannedStep(container.name, container.stop, SECONDS)
    within = (pod.grace + MARGIN).total_seconds()
    return Plan("restart", {"container": container.name}, "", (step,), "", within)


def command_of(target: Target, container: str) -> ContainerTarget:
    """What the settings and the runbook say of a container; the defaults for one that they don't name."""
    return next((one for one in target.containers if one.name == container), ContainerTarget(name=container))


def snapshot(planned: Plan, pod: Pod | None) -> Snapshot:
    """What an approval is bound to: pod, container, image, restart count, and the command."""
    found = pod.container(planned.steps[0].container) if pod is not None else None
    return Snapshot(
        pod.uid if pod is not None else "",
        found.restarts if found is not None else 0,
        ((found.name, found.image),) if found is not None else (),
        ((pod.name, pod.uid),) if pod is not None else (),
        planned.digest,
        f"container {planned.steps[0].container}",
    )


def why_not(pod: Pod, container: Container, command: ContainerTarget) -> tuple[str, str]:
    """Why the container can't be restarted so, and the remedy; empty where it can."""
    name = container.name
    if not container.goes_on:
        kind = "an init container" if container.role == "init" else "a debug container"
        return f"{name} is {kind}: it runs once, and nothing starts it again", "Restart the pod instead: restart."
    if container.state != "running":
        return f"{name} does not run ({container.reason or container.state})", "`/agentpod status` says why."
    policy = container.restart_policy or ("Always" if container.role == "sidecar" else pod.restart_policy)
    if policy != "Always":
        return f"{name} would not be started again: its restartPolicy is {policy}", "Restart the pod: restart."
    if pod.shared_processes and command.stop == ContainerTarget.model_fields["stop"].default:
        whose = "the node's" if pod.shared_processes == "node" else "the pod's, as it shares its processes"
        return (
            f"process 1 in {name} is {whose}, and not the container's own",
            f"Set stop for {name} in the runbook's section pod: a command that ends its main process by name.",
        )
    return "", ""


def _run(wanted: Wanted) -> StepRun | None:
    try:
        return next(iter(log_of(wanted.details).runs), None)
    except Unreadable:
        return None


def _outcome(run: StepRun, state: RequestState) -> str:
    if run.ended is None and not state.final:
        return f"sent at {words.clock(run.began)}"
    if run.exit_code is None:
        return "no answer says how it ended"
    return f"exit code {run.exit_code}"


CONTAINER_RESTART = ContainerRestart()
