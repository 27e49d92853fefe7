"""Bodies of answers, read up to a limit that counts what comes out of decompression."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable

import aiohttp

from bot.domain.core.words import size

_PLAIN = ("", "identity")
_ZIPPED = ("gzip", "x-gzip", "deflate")
ACCEPT = "gzip, deflate"
"""What is asked for."""
_EITHER = zlib.MAX_WBITS | 32
"""Reads gzip's header as well as zlib's."""
_PART = 256 * 1024
"""Bytes that come out of decompression at once: the event loop gets its turn between two."""


class BodyRefused(aiohttp.ClientPayloadError):
    """An answer that is not read to its end. Its text says why: "it is larger than 4 MiB"."""


class Body:
    """Collects one body."""

    def __init__(self, encoding: str, limit: int) -> None:
        """``encoding`` is its Content-Encoding, ``limit`` in bytes. Raises BodyRefused for another encoding."""
        kind = encoding.strip().lower()
        if kind not in (*_PLAIN, *_ZIPPED):
            raise BodyRefused(f"it has the encoding “{kind[:40]}”, which was not asked for")
        self._zip = zlib.decompressobj(_EITHER) if kind in _ZIPPED else None
        self._limit, self._taken = limit, 0
        self.content = bytearray()

    @property
    def full(self) -> bool:
        """Whether there is more than the limit."""
        return len(self.content) > self._limit or self._taken > self._limit

    def feed(self, chunk: bytes) -> None:
        """Take a piece as it comes; what exceeds the limit is not kept. Raises BodyRefused where it is broken."""
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
    """The body of ``chunks``. Raises BodyRefused for more than ``limit`` bytes, unless it is ``cut`` there."""
    body = Body(encoding, limit)
    async for chunk in chunks:
        body.feed(chunk)
        if body.full:
            break
    if body.full and not cut:
        raise BodyRefused(f"it is larger than {size(limit)}")
    del body.content[limit:]
    return body.content
