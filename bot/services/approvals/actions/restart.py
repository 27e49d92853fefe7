"""Carries out `restart`: annotates the pod template with the approval's id and the time of the claim.

Both are the same for every process and every retry, so a repeated call starts no second rollout.
"""

from __future__ import annotations

from dataclasses import replace

from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.repair import RepairRequest, TargetState
from bot.domain.health.rollout import APPROVAL_ANNOTATION, RESTARTED_ANNOTATION, ChangeMarker
from bot.services.approvals.actions.pod_restart import PodRestart
from bot.services.approvals.lease_holder import LeaseHolder


class Restart(PodRestart):
    """See the module."""

    action = RESTART

    def is_made(self, case: RepairRequest, seen: TargetState, *, tried: bool) -> bool:  # noqa: ARG002 - the annotation is proof
        """See `Stepwise`."""
        return seen.deployment.template_annotations.get(APPROVAL_ANNOTATION) == case.id

    async def call(self, case: RepairRequest, seen: TargetState, holder: LeaseHolder) -> TargetState:
        """See `Stepwise`."""
        marks = {RESTARTED_ANNOTATION: _restarted(case), APPROVAL_ANNOTATION: case.id}
        return replace(seen, deployment=await holder.cluster_of(case.target).restart(seen.deployment, marks))

    def marked(self, case: RepairRequest, seen: TargetState) -> ChangeMarker | None:
        """See `Stepwise`."""
        if case.mark is None:
            return None
        return replace(case.mark, generation=seen.deployment.generation, restarted=_restarted(case))


def _restarted(case: RepairRequest) -> str:
    """The value of the restart annotation: the time of the claim, so that it doesn't change with a retry."""
    if case.held is None:
        raise AssertionError(f"{case.id} is carried out by nobody")
    return case.held.since.isoformat(timespec="seconds")
