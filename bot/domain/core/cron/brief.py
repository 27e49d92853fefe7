"""A crontab's command in few characters, with the program that it is there for. Pure."""

from __future__ import annotations

import re

from bot.domain.core import words

_FOLDERS = re.compile(r"(?<![\w.~:/])/(?:[^\s/'\";&|]+/)+(?=[^\s/])")
_CHANGE_FOLDER = re.compile(r"^(?:cd [\w.~/$-]+ ?(?:&&|;) ?)+")
_NEXT_STEP = re.compile(r" ?(&&|\|\||[;|]|(?<![<>])&(?!>)) ?")


def has_steps(command: str) -> bool:
    """Whether the command runs more than one program."""
    return _NEXT_STEP.search(_flat(command)) is not None


def brief(command: str, length: int) -> str:
    """Return the command with the names of its files only; of several steps the first program and the last step.

    A line that prepares something ends with what the job is, and nothing comes first unseen.
    """
    flat = _FOLDERS.sub("", _flat(command))
    if len(flat) <= length:
        return flat
    flat = _CHANGE_FOLDER.sub("", flat)
    steps = list(_NEXT_STEP.finditer(flat))
    if len(flat) <= length or not steps:
        return words.cut(flat, length)
    program = words.cut(flat[: steps[0].start()].partition(" ")[0], length // 3)
    between = f" ({len(steps) - 1} more)" if len(steps) > 1 else ""
    return words.cut(f"{program} …{between} {steps[-1][1]} {flat[steps[-1].end() :]}", length)


def _flat(command: str) -> str:
    return " ".join(command.split()).rstrip("; &")
