"""Names of images: which registry has one, what it is called there, and what a tag points to."""

from __future__ import annotations

import re

from bot.domain.core.lazy_dataclass import dataclass

HUB = "docker.io"
"""The registry of names without one."""
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
LONGEST_PATH = 255
"""Characters of a repository's path, as registries take them."""
FLOATING = "latest"
"""The tag of names without one."""
SHOWN = 12
"""Characters of a digest that are shown where it is shortened."""


@dataclass(frozen=True)
class Reference:
    """An image's name in its parts."""

    repository: str
    tag: str | None
    digest: str | None

    @property
    def floats(self) -> bool:
        """Whether it may stand for another image tomorrow although nobody changed the manifest: ``:latest``."""
        return self.digest is None and self.tag in (None, "latest")

    @property
    def registry(self) -> str:
        """The registry's host, with its port if the name has one."""
        return self._split[0]

    @property
    def path(self) -> str:
        """The repository's name in its registry; official images of Docker Hub are in ``library/``."""
        host, path = self._split
        return f"library/{path}" if host == HUB and "/" not in path else path

    @property
    def version(self) -> str:
        """What is asked for in the repository: the digest, else the tag."""
        return self.digest or self.tag or FLOATING

    @property
    def is_valid(self) -> bool:
        """Whether a registry can be asked for it."""
        version = _DIGEST.fullmatch(self.digest) if self.digest is not None else _TAG.fullmatch(self.version)
        host, path = self._split
        return bool(version and _HOST.fullmatch(host) and len(path) <= LONGEST_PATH and _PATH.fullmatch(path))

    @property
    def _split(self) -> tuple[str, str]:
        """Host and path: the part before the first slash is a host if it looks like one."""
        first, slash, rest = self.repository.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost"):
            return (HUB if first == f"index.{HUB}" else first), rest
        return HUB, self.repository


def reference(image: str) -> Reference:
    """Split ``host:5000/name:tag@sha256:…``; a colon before the last slash belongs to the host."""
    name, _, digest = image.partition("@")
    folder, slash, last = name.rpartition("/")
    base, _, tag = last.partition(":")
    return Reference(f"{folder}{slash}{base}", tag or None, digest or None)


def pinned(image: str, digest: str) -> str:
    """An image's name with a digest; its tag stays, for people."""
    named = reference(image)
    return f"{named.repository}{f':{named.tag}' if named.tag else ''}@{digest}"


def is_tag(text: str) -> bool:
    """Whether it is a tag as registries take it."""
    return _TAG.fullmatch(text) is not None


def pull_policy(image: str, given: str | None) -> str:
    """The imagePullPolicy of a container; without one, the API server's default."""
    return given or ("Always" if reference(image).floats else "IfNotPresent")


def is_digest(text: str) -> bool:
    """Whether it is a digest as registries give it: ``sha256:`` and 64 hexadecimal digits."""
    return _DIGEST.fullmatch(text) is not None


def shortened(digest: str) -> str:
    """A digest's beginning: ``sha256:ab12cd34ef56…``."""
    kind, colon, value = digest.partition(":")
    return f"{kind}:{value[:SHOWN]}…" if colon and len(value) > SHOWN else digest


@dataclass(frozen=True)
class ResolvedImage:
    """What a name stands for in its registry."""

    digest: str
    """The digest of what the name points to: of an image, or of an index with an image for each platform."""
    image: str
    """The digest of the image for the platform that was asked for; the same where there is no index."""
    platforms: tuple[str, ...] = ()
    """The platforms on offer."""

    def is_run_as(self, digest: str) -> bool:
        """Whether a container that reports this digest runs it: runtimes report either."""
        return digest in (self.digest, self.image)


@dataclass(frozen=True)
class TagNow:
    """What an image's tag points to now, beside the image that a container runs."""

    container: str
    named: Reference
    running: str | None
    """The digest of the image that runs, None where it is not known."""
    digest: str = ""
    """The digest that the tag points to; empty where that is not known."""
    same: bool = False
    """Whether the container runs it."""
    unknown: str = ""
    """Why it is not known, as a part of a sentence."""
    remedy: str = ""
    """What to do about that, where it is known."""

    @property
    def tag(self) -> str:
        """The tag with its colon."""
        return f":{self.named.tag or 'latest'}"

    @property
    def moved(self) -> bool:
        """Whether the tag points to another image than the one that runs."""
        return bool(self.digest and self.running and not self.same)
