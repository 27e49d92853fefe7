"""A registry of images whose answers are attributes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.domain.core.images import ResolvedImage

OLD, NEW, OTHER, NEWEST = (f"sha256:{letter * 64}" for letter in "abcd")
REPOSITORY = "ghcr.io/a/kali"
LATEST, TAGGED = f"{REPOSITORY}:latest", f"{REPOSITORY}:1.4.2"
AMD = "linux/amd64"
FOUND = ResolvedImage(NEW, OTHER, (AMD,))


@dataclass
class FakeRegistry:
    """What each name stands for; errors are raised."""

    names: dict[str, Any] = field(default_factory=lambda: dict.fromkeys((LATEST, TAGGED), FOUND))
    errors: list[Exception | None] = field(default_factory=list)
    """Raised by the next questions."""
    built_at: Any = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def digest(self, image: str) -> str:
        return (await self.resolve(image, AMD)).digest

    async def resolve(self, image: str, platform: str) -> ResolvedImage:
        self.asked.append((image, platform))
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error
        found = self.names[image]
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, ResolvedImage)
        return found

    async def built(self, image: str) -> datetime | None:
        self.asked.append((image, "built"))
        if isinstance(self.built_at, Exception):
            raise self.built_at
        found: datetime | None = self.built_at
        return found
