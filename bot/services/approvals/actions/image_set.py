"""Carries out `image set`: names another image of the same repository in the pod template, by its digest.

The patch carries the approval's id beside the image, so one read shows whether it was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.approvals.actions.image_action import CONTAINER
from bot.domain.approvals.actions.image_set import IMAGE_SET, PINNED
from bot.domain.approvals.repair import RepairRequest, TargetState
from bot.services.approvals.actions.image_execution import ImageExecution, ImageState
from bot.services.approvals.actions.restart import marks
from bot.services.approvals.lease_holder import LeaseHolder
from bot.services.health import deployment_ownership


class ImageSet(ImageExecution):
    """See the module."""

    action = IMAGE_SET

    async def owner(self, repair: RepairRequest, holder: LeaseHolder, seen: TargetState) -> str:
        """See `ImageExecution`: judged as for the request."""
        target = holder.targets[repair.target]
        found = await deployment_ownership.application(holder.cluster_of(repair.target), target)
        whose = deployment_ownership.ownership(seen.deployment, target, found)
        if whose.unread is not None:
            raise whose.unread
        return whose.owner.name if whose.owner is not None else ""

    def changes(self, repair: RepairRequest, seen: TargetState) -> Sequence[str]:
        """See `Stepwise`: also a program that has come to own the Deployment."""
        found = list(super().changes(repair, seen))
        if isinstance(seen, ImageState) and seen.owner:
            found.append(f"{seen.owner} manages {seen.deployment.name} now")
        return found

    async def call(self, repair: RepairRequest, seen: TargetState, holder: LeaseHolder) -> TargetState:
        """See `Stepwise`."""
        cluster, details = holder.cluster_of(repair.target), repair.details
        changed = await cluster.set_image(seen.deployment, details[CONTAINER], details[PINNED], marks(repair))
        return replace(seen, deployment=changed)


EXECUTION = ImageSet()
