"""How much of a text from outside is judged: lines are cut and counted before anything looks into them. Pure.

Whoever may start a process in the pod decides how long its line in a list is, and how many lines there are. A look
at them costs at most ``LINES`` times ``LINE`` characters, each of which is read a fixed number of times.
"""

from __future__ import annotations

from dataclasses import dataclass

LINE = 8_192
"""Characters of a line that are kept: as many as sshd takes of a line of keys."""
LINES = 10_000
"""Lines that are kept."""
DIGITS = 18
"""Digits of a number that are read: more would not fit into 64 bits, and Python refuses some thousands."""


@dataclass(frozen=True)
class Bounded:
    """What is kept of a text: ``shortened`` lines lost their ends; ``whole`` says that no line is missing."""

    text: str
    shortened: int = 0
    whole: bool = True


def bounded(text: str, line: int = LINE, lines: int = LINES) -> Bounded:
    """The text with each line cut at ``line`` characters, and no more than ``lines`` of them.

    Only a line feed ends a line: Unicode has other separators, which a process may have in its arguments.
    """
    if len(text) <= line and text.count("\n") <= lines:
        return Bounded(text)
    found = text.split("\n", lines)
    kept, left = (found[:lines], found[lines:]) if len(found) > lines else (found, [])
    shortened = sum(len(one) > line for one in kept)
    cut = "\n".join(one[:line] for one in kept)
    whole = not any(left)
    return Bounded(cut if whole and not left else f"{cut}\n", shortened, whole)


def number(text: str, digits: int = DIGITS) -> int | None:
    """A number of ASCII digits; None for anything else, such as ``²`` or one of thousands of digits."""
    return int(text) if 0 < len(text) <= digits and text.isascii() and text.isdecimal() else None
