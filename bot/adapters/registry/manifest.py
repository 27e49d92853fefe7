"""Reads manifests: of one image, or of an index with an image for each platform."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from bot.domain.core import words
from bot.domain.core.images import is_digest
from bot.errors import Permanent
from bot.ports.registry import PlatformMissing

ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
MAX_BYTES = 4 * 1024 * 1024
"""Maximum bytes of a manifest, as registries limit them, and of an image's configuration."""
MOST_PLATFORMS = 200
"""Maximum entries of an index."""
MOST_SHOWN = 12
"""Platforms that are named."""
LONGEST = 20
"""Maximum characters of each part of a platform."""
FIRST_IMAGES, LAST_YEAR = 2013, 9000
"""The year of the first container images, and the last one of a date that is no mistake."""


class Platform(msgspec.Struct):
    """Operating system and architecture."""

    os: str = ""
    architecture: str = ""
    variant: str = ""

    def __str__(self) -> str:
        """As the settings have it: ``linux/arm/v7``."""
        return "/".join(p for p in (self.os, self.architecture, self.variant) if p)

    @property
    def is_real(self) -> bool:
        """Whether it is one, in words that can be shown; attestations have ``unknown/unknown``."""
        parts = (self.os, self.architecture, self.variant or "v")
        plain = all(
            p.isascii() and p.replace("-", "").replace(".", "").isalnum() and len(p) <= LONGEST for p in parts
        )
        return plain and "unknown" not in parts

    def is_for(self, wanted: str) -> bool:
        """Whether an image for it runs on ``wanted``; without a variant there, any will do."""
        return wanted in (str(self), f"{self.os}/{self.architecture}")


class _Dated(msgspec.Struct):
    """The part of a configuration that says when the image was built."""

    created: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class Entry(msgspec.Struct, rename="camel"):
    """An image of an index, or a blob."""

    digest: str
    platform: Platform | None = None


class Manifest(msgspec.Struct, rename="camel"):
    """An index (``manifests``) or an image (``config``)."""

    schema_version: int = 0
    manifests: list[Entry] | None = None
    config: Entry | None = None


def parse(body: bytes | bytearray) -> Manifest:
    """Read a manifest. Raises Permanent for what is none, or is too old or too large."""
    try:
        found = msgspec.json.decode(body, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Permanent("The registry's answer is no image manifest.") from None
    if found.schema_version != 2 or (found.manifests is None and found.config is None):
        raise Permanent("The registry's answer is no image manifest of a known format.")
    if len(found.manifests or ()) > MOST_PLATFORMS:
        raise Permanent(
            f"The image has {len(found.manifests or ()):,} entries; at most {MOST_PLATFORMS} are read."
        )
    if not all(is_digest(e.digest) for e in (*(found.manifests or ()), *([found.config] if found.config else ()))):
        raise Permanent("The registry's answer names an image by something other than a SHA-256 digest.")
    return found


def platform(body: bytes | bytearray) -> Platform:
    """Read the platform from an image's configuration. Raises Permanent where it has none."""
    try:
        found = msgspec.json.decode(body, type=Platform)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = Platform()
    if not found.is_real:
        raise Permanent("The registry has something else than a container image under that name.")
    return found


def created(body: bytes | bytearray) -> datetime | None:
    """Read from an image's configuration when it was built; None where it has no date, or a made-up one.

    Builds that are to be reproducible write the beginning of 1970, or of the calendar.
    """
    try:
        at = msgspec.json.decode(body, type=_Dated).created
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return at if at is not None and FIRST_IMAGES <= at.year <= LAST_YEAR else None


def chosen(entries: Sequence[tuple[str, Platform]], wanted: str) -> str:
    """The digest of the image for a platform. Raises PlatformMissing, with those on offer."""
    for digest, one in entries:
        if one.is_for(wanted):
            return digest
    offered = list(dict.fromkeys(str(one) for _, one in entries))[:MOST_SHOWN]
    only = f", only for {words.listed(offered)}" if offered else ""
    raise PlatformMissing(f"There is no image for {wanted} under that name{only}.", offered)


def offered(entries: Sequence[Entry]) -> list[tuple[str, Platform]]:
    """The images of an index with their platforms, without attestations."""
    return [(e.digest, e.platform) for e in entries if e.platform is not None and e.platform.is_real]


def digest_of(body: bytes | bytearray) -> str:
    """The digest of what was read."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
