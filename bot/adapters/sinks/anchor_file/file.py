"""Appends anchors to a file, a JSON object a line, and reads them.

A line may be delivered twice, after a crash between the write and its record in the ledger: one that is among the
file's last lines already is not appended again. A write that was cut off leaves a line without its end; the next
begins a new one.
"""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bot.domain.core import anchors
from bot.domain.core.anchors import Anchor, KeptAnchors
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.errors import NotFound, Permanent, TimedOut, Transient

TAIL_BYTES = 64 * 1024
"""Bytes at the file's end in which an anchor is looked for before it is appended."""
MAX_BYTES = 4 * 1024 * 1024
"""Maximum bytes of a file that is read: about 20,000 anchors."""
_REMEDY = "Check ledger.anchor.file: agentpod's user must be able to read and write it."

T = TypeVar("T")


class AnchorFile:
    """A file of anchors: a sink, and a `bot.ports.anchors.AnchorStore`."""

    name = "anchor_file"

    def __init__(self, path: str, *, timeout: float = 8.0) -> None:
        """``timeout`` in seconds. Does not open the file yet."""
        self.place = path
        self._timeout = timeout
        self._writing = threading.Lock()

    async def close(self) -> None:
        """Do nothing: the file is open during a write only."""

    async def deliver(self, message: OutboxMessage, content: Anchor) -> MessageRef:
        """See `bot.ports.sinks.Sink`."""
        await self._in_time(lambda: self._append(content), "written")
        return MessageRef(message.key.kind, message.key.rest)

    async def anchors(self) -> KeptAnchors:
        """See `bot.ports.anchors.AnchorStore`."""
        return anchors.appended(await self._in_time(self._read, "read"))

    async def _in_time(self, work: Callable[[], T], how: str) -> T:
        """Run file operations in a thread: they hang where the file is on a network that is away."""
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.to_thread(work)
        except TimeoutError:
            said = f"The anchor file {self.place} could not be {how} within {self._timeout:g} s."
            raise TimedOut(said, remedy="Check the storage that it is on.") from None
        except FileNotFoundError as error:
            if how == "read":
                raise NotFound(
                    f"The anchor file {self.place} doesn't exist.",
                    remedy="The next daily digest makes it. If there was one, it was removed or isn't mounted.",
                ) from error
            raise Transient(
                f"The anchor file {self.place} can't be written: its folder doesn't exist.", remedy=_REMEDY
            ) from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise Transient(f"The anchor file {self.place} can't be {how}: {reason}.", remedy=_REMEDY) from error

    def _append(self, anchor: Anchor) -> None:
        if not self._writing.acquire(blocking=False):
            raise Transient(f"The anchor file {self.place} is still being written.")
        try:
            file = os.open(self.place, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o600)
            try:
                self._append_to(file, anchor)
            finally:
                os.close(file)
        finally:
            self._writing.release()

    def _append_to(self, file: int, anchor: Anchor) -> None:
        size = self._size(file)
        tail = os.pread(file, TAIL_BYTES, max(0, size - TAIL_BYTES)).decode(errors="replace")
        if anchor not in anchors.kept(tail).anchors:
            begin = "" if tail.endswith("\n") or not tail else "\n"
            line = f"{begin}{anchors.line(anchor)}\n".encode()
            if os.write(file, line) != len(line):
                raise OSError("only a part of the line could be written")
        os.fsync(file)  # also for a line that was there: the attempt that wrote it may have failed after that
        if size == 0:
            _sync_folder(Path(self.place).parent)

    def _read(self) -> str:
        file = os.open(self.place, os.O_RDONLY | os.O_NONBLOCK)
        try:
            if self._size(file) > MAX_BYTES:
                raise Permanent(
                    f"The anchor file {self.place} is larger than {MAX_BYTES // 2**20} MiB.",
                    remedy="Move it away, and keep it: the next digest begins a new one.",
                )
            with os.fdopen(os.dup(file), "rb") as reader:
                return reader.read(MAX_BYTES).decode(errors="replace")
        finally:
            os.close(file)

    def _size(self, file: int) -> int:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise Permanent(f"The anchor file {self.place} is not a regular file.", remedy=_REMEDY)
        return found.st_size


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
