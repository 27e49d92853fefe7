"""Reads response bodies up to a limit that counts the decompressed bytes."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable

import aiohttp

from bot.domain.core.words import size

_PLAIN = ("", "identity")
_ZIPPED = ("gzip", "x-gzip", "deflate")
ACCEPT = "gzip, deflate"
"""The ``Accept-Encoding`` of requests."""
_EITHER = zlib.MAX_WBITS | 32
"""zlib's flag for detecting a gzip or a zlib header."""
_PART = 256 * 1024
"""Maximum bytes decompressed in one step."""


class BodyRefused(aiohttp.ClientPayloadError):
    """A body that can't be read to its end. The text says why: "it is larger than 4 MiB"."""


class Body:
    """Collects the chunks of one body."""

    def __init__(self, encoding: str, limit: int) -> None:
        """``encoding`` is the Content-Encoding, ``limit`` in bytes. Raises BodyRefused for an unknown encoding."""
        kind = encoding.strip().lower()
        if kind not in (*_PLAIN, *_ZIPPED):
            raise BodyRefused(f"it has the encoding “{kind[:40]}”, which was not asked for")
        self._zip = zlib.decompressobj(_EITHER) if kind in _ZIPPED else None
        self._limit, self._taken = limit, 0
        self.content = bytearray()

    @property
    def full(self) -> bool:
        """Whether the body exceeds the limit."""
        return len(self.content) > self._limit or self._taken > self._limit

    def feed(self, chunk: bytes) -> None:
        """Add a chunk; bytes beyond the limit are dropped. Raises BodyRefused for broken compression."""
        self._taken += len(chunk)
        if self._zip is None:
            self.content += chunk[: self._limit + 1 - len(self.content)]
            return
        try:
            while chunk and not self.full:
                self.content += self._zip.decompress(chunk, min(_PART, self._limit + 1 - len(self.content)))
                chunk = self._zip.unconsumed_tail
        except zlib.error as error:
            raise BodyRefused("its compression is broken") from error


async def collect(chunks: AsyncIterable[bytes], encoding: str, limit: int, *, cut: bool = False) -> bytearray:
    """Return the body of ``chunks``. ``cut`` truncates one beyond ``limit`` bytes; else it raises BodyRefused."""
    body = Body(encoding, limit)
    async for chunk in chunks:
        body.feed(chunk)
        if body.full:
            break
    if body.full and not cut:
        raise BodyRefused(f"it is larger than {size(limit)}")
    del body.content[limit:]
    return body.content
