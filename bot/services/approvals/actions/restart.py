"""Carries out `restart`: annotates the pod template with the approval's id and the time of the claim.

Both are the same for every process and every retry, so a repeated call starts no second rollout.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.repair import RepairRequest, TargetState
from bot.domain.health.rollout import APPROVAL_ANNOTATION, RESTARTED_ANNOTATION, ChangeMarker
from bot.services.approvals.actions.pod_restart import PodRestart
from bot.services.approvals.lease_holder import LeaseHolder


class Restart(PodRestart):
    """See the module."""

    action: ClassVar[RepairAction] = RESTART

    def is_made(self, repair: RepairRequest, seen: TargetState, *, tried: bool) -> bool:  # noqa: ARG002 - the annotation is proof
        """See `Stepwise`."""
        return seen.deployment.template_annotations.get(APPROVAL_ANNOTATION) == repair.id

    async def call(self, repair: RepairRequest, seen: TargetState, holder: LeaseHolder) -> TargetState:
        """See `Stepwise`."""
        changed = await holder.cluster_of(repair.target).restart(seen.deployment, marks(repair))
        return replace(seen, deployment=changed)

    def marked(self, repair: RepairRequest, seen: TargetState) -> ChangeMarker | None:
        """See `Stepwise`."""
        if repair.mark is None:
            return None
        return replace(repair.mark, generation=seen.deployment.generation, restarted=_restarted(repair))


def marks(repair: RepairRequest) -> dict[str, str]:
    """The annotations of the pod template by which the change is found again."""
    return {RESTARTED_ANNOTATION: _restarted(repair), APPROVAL_ANNOTATION: repair.id}


def _restarted(repair: RepairRequest) -> str:
    """The value of the restart annotation: the time of the claim, so that it doesn't change with a retry."""
    if repair.held is None:
        raise AssertionError(f"{repair.id} is carried out by nobody")
    return repair.held.since.isoformat(timespec="seconds")


EXECUTION = Restart()
