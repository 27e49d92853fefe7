"""The pretend registry's images: documents that are the same each time, so that their digests are too."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

HOST, PATH = "ghcr.io", "derio-net/secure-agent-kali"
REPOSITORY = f"{HOST}/{PATH}"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
PLATFORMS = ("amd64", "arm64")


def digest_of(body: bytes) -> str:
    """The digest of a document."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _body(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _entry(media_type: str, body: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(body), "size": len(body)}


@dataclass(frozen=True)
class Image:
    """One image for several platforms: the documents by digest, with their media types."""

    digest: str
    documents: dict[str, tuple[str, bytes]]


def image(number: int, platforms: tuple[str, ...] = PLATFORMS) -> Image:
    """The image that was built as the ``number``-th; without several platforms there is no index."""
    documents: dict[str, tuple[str, bytes]] = {}
    entries = []
    for architecture in platforms:
        labels = {"Labels": {"build": str(number)}}
        day = f"2025-06-{number:02}T08:00:00Z"
        config = _body({"created": day, "architecture": architecture, "os": "linux", "config": labels})
        manifest = _body(
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": _entry(CONFIG, config), "layers": []}
        )
        documents |= {digest_of(config): (CONFIG, config), digest_of(manifest): (MANIFEST, manifest)}
        platform = {"architecture": architecture, "os": "linux"}
        entries.append(_entry(MANIFEST, manifest) | {"platform": platform})
    if len(platforms) == 1:
        return Image(entries[0]["digest"], documents)
    index = _body({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    return Image(digest_of(index), documents | {digest_of(index): (INDEX, index)})
