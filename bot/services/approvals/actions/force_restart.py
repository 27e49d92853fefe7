"""Carries out `restart --force`: deletes the pods of the approved snapshot by their uids."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.approvals.actions.force_restart import FORCE_RESTART
from bot.domain.approvals.repair import RepairRequest, TargetState
from bot.domain.health.rollout import RESTARTED_ANNOTATION, ChangeMarker
from bot.errors import AgentpodError, NotFound, Uncertain
from bot.services.approvals.actions.execution import inner
from bot.services.approvals.actions.pod_restart import PodRestart
from bot.services.approvals.lease_holder import LeaseHolder


class ForceRestart(PodRestart):
    """See the module."""

    action = FORCE_RESTART

    def is_made(self, repair: RepairRequest, seen: TargetState, *, tried: bool) -> bool:
        """See `Stepwise`. Absent pods count only where a call may have been sent: others may have deleted them."""
        there = {p.uid for p in seen.pods if not p.deleting}
        return tried and not any(uid in there for _, uid in repair.request.snapshot.pods)

    async def call(self, repair: RepairRequest, seen: TargetState, holder: LeaseHolder) -> TargetState:
        """See `Stepwise`. A pod that is gone since the read needs no deletion."""
        cluster, wanted = holder.cluster_of(repair.target), {uid for _, uid in repair.request.snapshot.pods}
        gone = 0
        for pod in seen.pods:
            if pod.uid not in wanted or pod.deleting or pod.over:
                continue
            try:
                await cluster.delete_pod(pod)
            except NotFound:
                pass
            except AgentpodError as error:
                if gone:
                    raise Uncertain(f"{pod.name} was not deleted, others were: {inner(error)}.") from error
                raise
            gone += 1
        return seen

    def marked(self, repair: RepairRequest, seen: TargetState) -> ChangeMarker | None:
        """See `Stepwise`."""
        if repair.mark is None:
            return None
        return replace(repair.mark, restarted=seen.deployment.template_annotations.get(RESTARTED_ANNOTATION, ""))


EXECUTION = ForceRestart()
