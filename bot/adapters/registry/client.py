"""Asks registries what images' names stand for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from bot.adapters.registry import credentials, manifest
from bot.adapters.registry.session import Pair, Session
from bot.domain.core.images import HUB, Reference, ResolvedImage, is_digest, reference
from bot.errors import NotFound, Permanent, TimedOut

_HUB_API = f"https://registry-1.{HUB}"
_DIGEST_HEADER = "Docker-Content-Digest"


class OciRegistry:
    """All registries. ``addresses`` are those of registries that are reached elsewhere than at https://HOST."""

    def __init__(self, addresses: Mapping[str, str], file: str = "", *, timeout: float = 3.0) -> None:
        """``file`` is a docker ``config.json`` or empty; ``timeout`` the deadline of each question in seconds."""
        self._addresses, self._file, self._timeout = addresses, file, timeout

    async def digest(self, image: str) -> str:
        """See the port: by a HEAD, which counts for no limit of pulls."""
        named = _valid(image)
        async with self._deadline(named), self._session(named) as session:
            answer = await session.ask("HEAD", f"manifests/{named.version}", manifest.ACCEPT, manifest.MAX_BYTES)
            given = answer.headers.get(_DIGEST_HEADER, "")
            return given if is_digest(given) else manifest.digest_of(await _manifest(session, named))

    async def resolve(self, image: str, platform: str) -> ResolvedImage:
        """See the port."""
        named = _valid(image)
        async with self._deadline(named), self._session(named) as session:
            body = await _manifest(session, named)
            digest, read = manifest.digest_of(body), manifest.parse(body)
            if read.manifests is not None:
                entries = manifest.offered(read.manifests)
            else:
                assert read.config is not None  # noqa: S101 - `parse` refuses what has neither
                entries = [(digest, await _platform(session, read.config.digest))]
            chosen = manifest.chosen(entries, platform)
        return ResolvedImage(digest, chosen, tuple(dict.fromkeys(str(one) for _, one in entries)))

    async def built(self, image: str) -> datetime | None:
        """See the port."""
        named = _valid(image)
        async with self._deadline(named), self._session(named) as session:
            read = manifest.parse(await _manifest(session, named))
            return manifest.created(await _blob(session, read.config.digest)) if read.config is not None else None

    def _session(self, named: Reference) -> Session:
        base = self._addresses.get(named.registry) or (_HUB_API if named.registry == HUB else "")

        def credentials_for(host: str) -> Pair | None:
            return credentials.read(Path(self._file), host, named.path) if self._file else None

        return Session(base or f"https://{named.registry}", named, self._timeout, credentials_for)

    def _deadline(self, named: Reference) -> _Deadline:
        return _Deadline(named.registry, self._timeout)


class _Deadline:
    """Limits the time of a whole question. Raises TimedOut."""

    def __init__(self, host: str, seconds: float) -> None:
        self._host, self._seconds = host, seconds
        self._limit = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(self, *error: object) -> None:
        try:
            await self._limit.__aexit__(*error)  # type: ignore[arg-type]
        except TimeoutError:
            raise self._late() from None
        if isinstance(error[1], TimeoutError):  # a single request's
            raise self._late() from None

    def _late(self) -> TimedOut:
        return TimedOut(
            f"The registry {self._host} gave no answer in {self._seconds:g} s.",
            remedy="See whether the registry runs, and whether the bot may connect to it.",
        )


async def _manifest(session: Session, named: Reference) -> bytes:
    """Read a manifest whose digest is the one that was asked for, or that the registry gives."""
    answer = await session.ask("GET", f"manifests/{named.version}", manifest.ACCEPT, manifest.MAX_BYTES)
    wanted = named.digest or answer.headers.get(_DIGEST_HEADER, "")
    return _checked(bytes(answer.body), wanted, named.registry)


async def _platform(session: Session, digest: str) -> manifest.Platform:
    """The platform of a single image, which only its configuration says."""
    return manifest.platform(await _blob(session, digest))


async def _blob(session: Session, digest: str) -> bytes:
    """Read an image's configuration."""
    try:
        answer = await session.ask("GET", f"blobs/{digest}", "*/*", manifest.MAX_BYTES)
    except NotFound as error:
        raise Permanent("The registry has the image's manifest, but not its configuration.") from error
    return _checked(bytes(answer.body), digest, "The registry")


def _checked(body: bytes, wanted: str, host: str) -> bytes:
    if wanted and manifest.digest_of(body) != wanted:
        raise Permanent(f"{host} answered with another digest than the one requested.")
    return body


def _valid(image: str) -> Reference:
    named = reference(image)
    if not named.is_valid:
        raise Permanent("The image's name is not valid for a registry.")
    return named
