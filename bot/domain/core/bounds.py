"""Limit the size of untrusted text before anything parses it. Pure.

Whoever may start a process in the pod decides how long its line in a process list is, and how many lines there
are. With these limits, a parser reads at most ``LINES`` times ``LINE`` characters, each a fixed number of times.
"""

from __future__ import annotations

from bot.domain.core.lazy_dataclass import dataclass

LINE = 8_192
"""Longest line that is kept, in characters: as long as a line of authorized_keys may be for sshd."""
LINES = 10_000
"""Most lines that are kept."""
DIGITS = 18
"""Most digits of a number: more would not fit into 64 bits, and Python's ``int`` refuses thousands of them."""


@dataclass(frozen=True)
class Bounded:
    """The text that is kept.

    ``shortened`` counts the lines that were cut; ``whole``: whether no line is missing.
    """

    text: str
    shortened: int = 0
    whole: bool = True


def bounded(text: str, line: int | None = LINE, lines: int = LINES) -> Bounded:
    """Cut each line at ``line`` characters (None: no line is cut), and the text at ``lines`` lines.

    Only a line feed ends a line: Unicode's other separators may be part of a process's arguments.
    """
    line = len(text) if line is None else line
    if len(text) <= line and text.count("\n") <= lines:
        return Bounded(text)
    found = text.split("\n", lines)
    kept, left = (found[:lines], found[lines:]) if len(found) > lines else (found, [])
    shortened = sum(len(one) > line for one in kept)
    cut = "\n".join(one[:line] for one in kept)
    whole = not any(left)
    return Bounded(cut if whole and not left else f"{cut}\n", shortened, whole)


def number(text: str, digits: int = DIGITS) -> int | None:
    """Parse a number of ASCII digits; None for anything else, such as ``²`` or thousands of digits."""
    return int(text) if 0 < len(text) <= digits and text.isascii() and text.isdecimal() else None
