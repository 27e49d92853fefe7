"""Restart by deleting the pod; the Deployment creates a new one."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.approvals.actions.action import PodRestart, Wanted, restart_line
from bot.domain.approvals.actions.restart import DOWN
from bot.domain.core.target import Target
from bot.domain.core.workload import Deployment, Right
from bot.domain.rbac.writes import PodDeletion, Write


class ForceRestart(PodRestart):
    """See the module."""

    name = "restart --force"
    title = "Forced restart of {target}"
    done = "Restarted {target} by force"
    deletes_pod = True

    def effect(self, deployment: Deployment) -> str:  # noqa: ARG002 - a deletion doesn't depend on it
        """What will happen."""
        return f"Exactly this pod is deleted, and a new one is started. {DOWN}"

    def again_line(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return restart_line(wanted.reason, wanted.target) + " --force"

    def rights(self, target: Target) -> Sequence[Right]:
        """See `RepairAction`."""
        return [*super().rights(target), Right("delete", "pods")]

    def writes(self, target: Target) -> Sequence[Write]:  # noqa: ARG002 - of any target
        """See `RepairAction`."""
        return [PodDeletion()]


FORCE_RESTART = ForceRestart()
