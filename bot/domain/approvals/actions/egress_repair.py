"""Repair of Cilium's egress policy: the handbook's steps for a policy that is not valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.domain.approvals import egress_policy, egress_steps
from bot.domain.approvals.actions.action import RESTART_KEY, RepairAction, Wanted, with_reason
from bot.domain.approvals.approval import Snapshot
from bot.domain.approvals.egress_policy import log_of
from bot.domain.approvals.egress_steps import AGENT, POD, POLICY, TEST, VALID
from bot.domain.core import labels, words
from bot.domain.core.reply import Button
from bot.domain.core.stored import Unreadable
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac.writes import CiliumRestart, PodDeletion, PolicyReplacement, Write

CILIUM_NAMESPACE, CILIUM_SELECTOR = "kube-system", "k8s-app=cilium"
RESTARTS_AGENT = "restarts_agent"
"""The detail that says whether the Cilium agent is restarted: ``yes``, or nothing."""


class EgressRepair(RepairAction):
    """See the module. Its subject is the policy's name; its details hold the manifest and the steps so far."""

    name = "egress repair"
    title = "Repair of egress policy {subject} on {target}"
    done = "Repaired egress policy {subject} on {target}"
    restarts = True

    def took(self, wanted: Wanted, down: float) -> str:
        """See `RepairAction`: the pod is down for a part of it only."""
        ready = f"pod ready after {words.span(down)}"
        try:
            steps = log_of(wanted.details).steps
        except Unreadable:
            return ready
        ended = steps[-1].ended if steps else None
        return f"done in {words.span((ended - steps[0].began).total_seconds())}, {ready}" if ended else ready

    def ready_at(self, wanted: Wanted, ended: datetime) -> datetime:
        """See `RepairAction`: the checks come after it."""
        try:
            pod = log_of(wanted.details).step(POD)
        except Unreadable:
            return ended
        return pod.ended if pod is not None and pod.ended is not None else ended

    def exclusive(self, wanted: Wanted) -> str:  # noqa: ARG002 - it ends the pod
        """See `RepairAction`: one restart of a target at a time, of any kind."""
        return RESTART_KEY

    def changes(self, approved: Snapshot, now: Snapshot) -> list[str]:
        """See `RepairAction`."""
        found = []
        if not now.uid:
            found.append("the policy is gone")
        elif approved.uid != now.uid:
            found.append("the policy was deleted and created again")
        elif (approved.generation, approved.version) != (now.generation, now.version):
            found.append("the policy was changed")
        if approved.pods != now.pods:
            before, after = (", ".join(name for name, _ in one.pods) for one in (approved, now))
            found.append(f"the pod was replaced ({before} → {after})" if after else f"the pod is gone ({before})")
        return found

    def bound_to(self, snapshot: Snapshot) -> str:  # noqa: ARG002 - the same for each
        """See `RepairAction`."""
        return "the policy or the pod"

    def again_line(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return with_reason(self.name, wanted)

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`."""
        return (Button(labels.of("egress"), f"egress --target {words.quoted(wanted.target)}"),)

    def results(self, wanted: Wanted) -> Sequence[tuple[str, str]]:
        """See `RepairAction`."""
        return egress_steps.results(wanted, steps_of(wanted.details))

    def output(self, wanted: Wanted) -> Sequence[str]:
        """See `RepairAction`: the manifest of a policy that is missing."""
        return egress_steps.manifest_if_missing(wanted)

    def after_failure(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`: the creation of a policy that is missing."""
        if not egress_steps.left_missing(wanted):
            return ()
        line = f"{self.name} --target {words.quoted(wanted.target)}"
        return (Button(labels.of(line), line, style="primary"),)

    def audited(self, wanted: Wanted) -> Mapping[str, object]:
        """See `RepairAction`."""
        return {"policy": wanted.subject, "restarts_agent": bool(wanted.details.get(RESTARTS_AGENT))}

    def switched_off(self, wanted: Wanted, target: Target) -> str:
        """See `RepairAction`."""
        spec = target.egress
        if spec is None or spec.policy != wanted.subject:
            return "targets[].egress"
        restarts = wanted.details.get(RESTARTS_AGENT) and not spec.restart_cilium
        return "targets[].egress.restart_cilium" if restarts else ""

    def is_set_up(self, target: Target) -> bool:
        """See `RepairAction`."""
        return target.egress is not None

    def rights(self, target: Target) -> Sequence[Right]:
        """See `RepairAction`. None where the settings don't have it."""
        if target.egress is None:
            return []
        policy = [egress_policy.right(verb, target.egress.policy) for verb in ("get", "delete", "create")]
        agent = [agent_right("list"), agent_right("delete")] if target.egress.restart_cilium else []
        exec_ = [Right(verb, "pods", subresource="exec") for verb in ("get", "create")]
        return [*policy, *agent, Right("list", "pods"), Right("delete", "pods"), *exec_]

    def writes(self, target: Target) -> Sequence[Write]:
        """See `RepairAction`."""
        if target.egress is None:
            return []
        agent = [CiliumRestart()] if target.egress.restart_cilium else []
        return [PolicyReplacement(target.egress.policy), *agent, PodDeletion()]


def agent_right(verb: str, name: str = "") -> Right:
    """The right to list Cilium's pods, or to delete one: RBAC can't narrow it to those."""
    return Right(verb, "pods", name=name, namespace=CILIUM_NAMESPACE)


def steps_of(details: Mapping[str, str]) -> tuple[str, ...]:
    """The steps of a request, in order."""
    return (AGENT, POLICY, VALID, POD, TEST) if details.get(RESTARTS_AGENT) else (POLICY, VALID, POD, TEST)


EGRESS_REPAIR = EgressRepair()
