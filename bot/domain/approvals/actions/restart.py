"""Restart by a rollout: a new annotation on the pod template makes the Deployment replace the pod."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.approvals.actions.action import PodRestart, Wanted, restart_line
from bot.domain.core.target import Target
from bot.domain.core.workload import Deployment, Right
from bot.domain.health.rollout import APPROVAL_ANNOTATION, RESTARTED_ANNOTATION
from bot.domain.rbac.writes import TemplateChange, Write

DOWN = "Everything in it is down until the new one is ready."


class Restart(PodRestart):
    """See the module."""

    name = "restart"
    title = "Restart of {target}"
    done = "Restarted {target}"

    def effect(self, deployment: Deployment) -> str:
        """What will happen, by the Deployment's strategy."""
        strategy = deployment.strategy
        if strategy == "Recreate":
            return f"The old pod ends before the new one starts (Recreate). {DOWN}"
        if deployment.ends_first:
            how = f"{strategy}, maxUnavailable {deployment.max_unavailable}"
            return f"The old pod may end before the new one is ready ({how}). {DOWN}"
        return f"The new pod starts before the old one ends ({strategy})."

    def again_line(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return restart_line(wanted.reason, wanted.target)

    def rights(self, target: Target) -> Sequence[Right]:
        """See `RepairAction`."""
        return [*super().rights(target), Right("patch", "deployments", "apps", name=target.deployment)]

    def writes(self, target: Target) -> Sequence[Write]:
        """See `RepairAction`."""
        return [TemplateChange(target.deployment, (RESTARTED_ANNOTATION, APPROVAL_ANNOTATION))]


RESTART = Restart()
