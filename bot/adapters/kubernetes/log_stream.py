"""Follows a container's log: one streamed answer, cut into lines with their times."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC

import aiohttp

from bot.adapters.kubernetes import errors, no_log
from bot.adapters.kubernetes.client import Call, Connection
from bot.domain.core.redact import CUT_OFF
from bot.domain.core.workload import LogLine, LogStart

IDLE = 60.0
"""Seconds without a line after which the connection may be dead, and another one is opened."""
MAX_LINE = 16 * 1024
"""Maximum bytes of a line that are kept; the rest of it is dropped."""
PART = 64 * 1024
"""Bytes read at a time, so that a fast log leaves time for everything else."""
_STAMPED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ?")


def query(container: str, start: LogStart) -> Sequence[tuple[str, str]]:
    """Return the query of a log that is followed. The API takes only one of two times."""
    found = [("container", container), ("follow", "true"), ("timestamps", "true")]
    if start.after is not None:
        found.append(("sinceTime", start.after.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")))
    elif start.since is not None:
        found.append(("sinceSeconds", str(max(1, math.ceil(start.since.total_seconds())))))
    if start.tail is not None:
        found.append(("tailLines", str(start.tail)))
    return found


async def follow(
    connection: Connection, call: Call, container: str, seconds: float
) -> AsyncGenerator[Sequence[LogLine], None]:
    """Yield the lines of one stream, in batches; see the port. Raises `bot.errors` only."""
    with errors.edge(connection.server, IDLE, connection.route):
        async with connection.stream(call, IDLE, seconds) as response:
            yield ()
            async with aclosing(_batches(response.content)) as batches:
                async for lines in batches:
                    yield [_parsed(line, container) for line in lines]


def _parsed(raw: bytes, container: str) -> LogLine:
    """Split a line into time and text. Raises the error that a kubelet's sentence in place of a line means."""
    line = raw.decode("utf-8", "replace").removesuffix("\r")
    stamped = _STAMPED.match(line)
    if stamped is not None:
        return LogLine(stamped[1], line[stamped.end() :])
    if (error := no_log.of_sentence(line.strip(), container, previous=False)) is not None:
        raise error
    return LogLine("", line)


async def _batches(content: aiohttp.StreamReader) -> AsyncGenerator[list[bytes], None]:
    """Yield the whole lines of each part that arrives; at the end of the stream also an unfinished one."""
    held = b""
    async for part in _parts(content):
        *whole, rest = part.split(b"\n")
        if whole:
            whole[0] = held + whole[0]
            yield [_cut(line) for line in whole]
            held = b""
        held = (held + rest)[: MAX_LINE + 1]
    if held:
        yield [_cut(held)]


def _cut(line: bytes) -> bytes:
    """A line of at most `MAX_LINE` bytes, with the mark by which redaction sees that a value may be cut in it."""
    return line if len(line) <= MAX_LINE else line[:MAX_LINE] + CUT_OFF


async def _parts(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    while part := await content.read(PART):
        yield part
