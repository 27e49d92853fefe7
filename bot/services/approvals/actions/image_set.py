"""Carries out `image set`: names another image of the same repository in the pod template, by its digest.

The patch carries the approval's id beside the image, so one read shows whether it was made.
"""

from __future__ import annotations

from dataclasses import replace

from bot.domain.approvals import image_owner
from bot.domain.approvals.actions.image_action import CONTAINER
from bot.domain.approvals.actions.image_set import IMAGE_SET, PINNED
from bot.domain.approvals.repair import RepairRequest, TargetState
from bot.errors import Permanent
from bot.services.approvals.actions.image_execution import ImageExecution, ImageState
from bot.services.approvals.actions.restart import marks
from bot.services.approvals.lease_holder import LeaseHolder


class ImageSet(ImageExecution):
    """See the module."""

    action = IMAGE_SET

    async def look(self, repair: RepairRequest, holder: LeaseHolder) -> ImageState:
        """See `Stepwise`. Raises `Permanent` where another program has come to write the Deployment."""
        seen = await super().look(repair, holder)
        if seen.tags and (owner := image_owner.written_by(seen.deployment)) is not None:
            raise Permanent(f"{owner.name} manages {seen.deployment.name} now.", remedy=owner.where)
        return seen

    async def call(self, repair: RepairRequest, seen: TargetState, holder: LeaseHolder) -> TargetState:
        """See `Stepwise`."""
        cluster, details = holder.cluster_of(repair.target), repair.details
        changed = await cluster.set_image(seen.deployment, details[CONTAINER], details[PINNED], marks(repair))
        return replace(seen, deployment=changed)


EXECUTION = ImageSet()
