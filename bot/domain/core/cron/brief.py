"""A crontab's command in few characters, with the program that it is there for. Pure."""

from __future__ import annotations

import re

from bot.domain.core import words

_FOLDERS = re.compile(r"(?<![\w.~:/])/(?:[^\s/'\";&|]+/)+(?=[^\s/])")
_CHANGE_FOLDER = re.compile(r"^(?:cd \S+ ?(?:&&|;) ?)+")
_STEP = re.compile(r" ?(?:&&|;) ?")


def brief(command: str, length: int) -> str:
    """Return the command with the names of its files only; of several steps the last one stays.

    A line that changes into a folder and prepares something ends with what the job is.
    """
    flat = _FOLDERS.sub("", " ".join(command.split()))
    if len(flat) <= length:
        return flat
    flat = _CHANGE_FOLDER.sub("", flat)
    steps = _STEP.split(flat)
    if len(flat) <= length or len(steps) == 1:
        return words.cut(flat, length)
    return words.cut(f"… && {steps[-1]}", length)
