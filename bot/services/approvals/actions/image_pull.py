"""Carries out `image pull`: a restart, once the registry still says what was approved."""

from __future__ import annotations

from bot.domain.approvals.actions.image_pull import IMAGE_PULL
from bot.services.approvals.actions.image_execution import ImageExecution


class ImagePull(ImageExecution):
    """See the module."""

    action = IMAGE_PULL


EXECUTION = ImagePull()
