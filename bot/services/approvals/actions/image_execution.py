"""Shared by the repairs that start another image: they ask the registry again before they act.

The request is bound to the digest that the registry gave when somebody asked. The tag may point elsewhere when the
request is approved: then it is void. After the rollout, the digest that the new pod reports is compared as well,
since the node pulls by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import ClassVar

from bot.domain.approvals.actions.image_action import IMAGE, PLATFORM, ImageAction
from bot.domain.approvals.approval import Snapshot
from bot.domain.approvals.repair import RepairRequest, TargetState
from bot.domain.core.images import ResolvedImage, reference
from bot.domain.core.workload import Pod
from bot.errors import AgentpodError, Permanent, Transient
from bot.ports.registry import ImageRegistry
from bot.services.approvals.actions.restart import Restart
from bot.services.approvals.lease_holder import LeaseHolder

TRIES, PATIENCE = 4, 6.0
"""How often a registry is asked before the change, and within how many seconds: less than a lease lasts."""
NOT_ASKED = "the registries of images are not asked (registry.enabled)"


@dataclass(frozen=True)
class ImageState(TargetState):
    """The target's state, and what the image's name stands for in its registry."""

    tags: tuple[tuple[str, str], ...] = ()
    """Name and digest; empty where the change was made already, so that it doesn't matter."""
    owner: str = ""
    """The program that would undo a change of the image; empty where there is none."""

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot for a request made now."""
        return replace(super().snapshot, tags=self.tags)


class ImageExecution(Restart):
    """See the module."""

    action: ClassVar[ImageAction]

    async def look(self, repair: RepairRequest, holder: LeaseHolder) -> ImageState:
        """See `Stepwise`. Raises what the registry raises, unless the change was made already.

        It is asked last: a cluster that can't be read is read again each second, and a registry is not.
        """
        seen = await super().look(repair, holder)
        if self.is_made(repair, seen, tried=True):
            return ImageState(seen.deployment, seen.pods)
        owner, found = await self.owner(repair, holder, seen), await _asked(repair, holder)
        if isinstance(found, AgentpodError):
            raise found
        return ImageState(seen.deployment, seen.pods, ((repair.details[IMAGE], found.digest),), owner)

    async def owner(self, repair: RepairRequest, holder: LeaseHolder, seen: TargetState) -> str:  # noqa: ARG002
        """The program that would undo the change; empty where none would. Raises where that can't be read."""
        return ""

    def verified(self, repair: RepairRequest, pod: Pod | None) -> tuple[bool, str, str]:
        """See `PodRestart`."""
        good, text = self.action.verified(repair, pod)
        return good, text, "" if good else "image"


async def _asked(repair: RepairRequest, holder: LeaseHolder) -> ResolvedImage | AgentpodError:
    """What the image's name stands for now, or why that is not known. Never raises."""
    registry, image = holder.context_of(repair.target).registry, repair.details[IMAGE]
    if registry is None:
        return Permanent(f"{NOT_ASKED[0].upper()}{NOT_ASKED[1:]}.")
    try:
        return await _with_tries(registry, image, repair.details[PLATFORM], holder.retry)
    except Transient as error:  # in time it would be: but nobody waits minutes for what they approved
        host = reference(image).registry
        return Permanent(
            error.message, remedy=f"Ask again when {host} answers. See whether the bot may connect to {host}."
        )
    except AgentpodError as error:
        return error


async def _with_tries(registry: ImageRegistry, image: str, platform: str, pause: float) -> ResolvedImage:
    """Ask until there is an answer, at most `TRIES` times. Raises as the registry does."""
    last = Transient(f"The registry {reference(image).registry} gave no answer in {PATIENCE:g} s.")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            for number in range(TRIES):
                await asyncio.sleep(pause if number else 0)
                try:
                    return await registry.resolve(image, platform)
                except Transient as error:
                    last = error
    raise last
