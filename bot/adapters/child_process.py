"""Runs programs with a deadline and bounded output; whatever they started ends with them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

_DRAIN = 1.0
"""Seconds to read the rest of the output after a program has ended: a child process may keep the pipes open."""
_TICK = 0.02


class StreamHead:
    """Keeps the first bytes of a stream."""

    def __init__(self, limit: int) -> None:
        """``limit`` in bytes."""
        self._limit = limit
        self.content = bytearray()
        self.more = False

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Read to the end, dropping what exceeds the limit."""
        while chunk := await stream.read(64 * 1024):
            self.more = self.more or len(self.content) + len(chunk) > self._limit
            self.content += chunk[: self._limit - len(self.content)]


async def wait_for_end(
    process: asyncio.subprocess.Process, out: StreamHead, err: StreamHead, given: bytes = b""
) -> int:
    """Write its input, wait for the process to end, read the rest of its output, and return its exit code."""
    if process.stdout is None or process.stderr is None:
        raise AssertionError("both are pipes")
    parts = [out.read(process.stdout), err.read(process.stderr)]
    if process.stdin is not None:
        parts.append(_write(process.stdin, given))
    reading = asyncio.gather(*parts)
    try:
        code = await _exit_code(process)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(reading), _DRAIN)
        return code
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _write(stream: asyncio.StreamWriter, given: bytes) -> None:
    """Write the input and close it. A program that ends before it has read all of it is no error."""
    with contextlib.suppress(ConnectionError):
        stream.write(given)
        await stream.drain()
    stream.close()


async def _exit_code(process: asyncio.subprocess.Process) -> int:
    """Wait for the exit code. `Process.wait` would also wait for child processes that keep the pipes open."""
    while process.returncode is None:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(_TICK)
    return process.returncode


async def kill(process: asyncio.subprocess.Process) -> None:
    """Kill the process and its process group, which it must have of its own (``start_new_session``)."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await _exit_code(process)
    transport = getattr(process, "_transport", None)  # else its pipes stay open as long as a child has them
    if transport is not None:
        transport.close()
