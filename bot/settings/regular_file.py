"""Reads a file that the bot is given, and never waits for one: a FIFO would wait for its other end."""

from __future__ import annotations

import errno
import os
import stat


class NotRegularError(OSError):
    """It is a folder, a FIFO, a socket or a device."""


def read(path: str, most: int) -> bytes:
    """Return the file's first ``most`` bytes. Raises `OSError`, which `NotRegularError` is one of."""
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        mode = os.fstat(opened).st_mode
        if stat.S_ISDIR(mode):
            raise NotRegularError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(mode):
            raise NotRegularError(errno.EINVAL, "it is not a regular file", path)
        with os.fdopen(opened, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(opened)
