"""Registries of container images: what a tag points to now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from bot.domain.core.images import ResolvedImage
from bot.errors import Permanent


class PlatformMissing(Permanent):
    """There is such an image, but none for the platform."""

    def __init__(self, message: str, offered: Sequence[str]) -> None:
        """``offered`` are the platforms that there are images for."""
        super().__init__(message, remedy=f"On offer: {', '.join(offered)}." if offered else None)
        self.offered = tuple(offered)


class ImageRegistry(Protocol):
    """Answers for the registries that images' names mention.

    Raises `NotFound` where there is no such image, `NotAllowed` where the registry refuses, `Transient` where it
    can't be asked, and `Permanent` where its answer can't be used or the name is none.
    """

    async def digest(self, image: str) -> str:
        """The digest that the registry gives for a name. It is its word: nothing is compared with it."""

    async def resolve(self, image: str, platform: str) -> ResolvedImage:
        """What a name stands for on a platform such as linux/amd64; the digests are those of what was read.

        Raises also `PlatformMissing`.
        """

    async def built(self, image: str) -> datetime | None:
        """When an image was built, by its configuration; None where that does not say it.

        ``image`` is the name of one for a single platform, with its digest.
        """
