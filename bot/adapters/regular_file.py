"""Reads a file that the bot is given, and never waits for one: a FIFO would wait for its other end."""

from __future__ import annotations

import os
import stat


class NotRegularError(Exception):
    """It is a folder, a FIFO, a socket or a device."""


def read(path: str, most: int) -> bytes:
    """Return the file's first ``most`` bytes. Raises `NotRegularError` and `OSError`."""
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise NotRegularError
        with os.fdopen(opened, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(opened)
