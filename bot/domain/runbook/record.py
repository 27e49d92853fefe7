"""Records: facts as lines of text, with their source and the time at which they were read.

Every fact is kept as lines, whatever it was read from. So each can be cited verbatim as a proof, redacted,
recorded as a test, and taken away to see whether a claim depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

MAX_LINES = 20_000
"""Most lines of a record; the rest is dropped, and the record says so."""
MAX_LINE = 8_192
"""Most characters of a line; what is beyond is dropped, and the record says so."""


BINARY = "binary"
"""Name under which a record says how many bytes it has that are no text."""
_MOST_ODD = 0.1
"""Share of characters that are no text from which on output is called binary."""
_JUDGED = 10_000


@dataclass(frozen=True)
class Record:
    """One fact as it was read."""

    kind: str
    """The fact's kind: ``exec``."""
    lines: tuple[str, ...]
    """Its text."""
    outcome: Mapping[str, str] = field(default_factory=dict)
    """What came with the text, by name: ``{"exit_code": "0"}``. Can be cited as ``exit_code: 0``."""
    source: str = ""
    """Where it came from, for people: "`s6-svstat /run/service/sshd` in kali"."""
    at: datetime | None = None
    """When it was read."""
    truncated: bool = False
    """Whether there was more text than was read: then what is missing proves nothing."""

    @property
    def citable(self) -> tuple[str, ...]:
        """All lines that can be a proof."""
        return (*self.lines, *(f"{name}: {value}" for name, value in self.outcome.items()))

    def without(self, line: str) -> Record:
        """Return the record without ``line``, wherever it stands."""
        outcome = {name: value for name, value in self.outcome.items() if f"{name}: {value}" != line}
        return replace(self, lines=tuple(one for one in self.lines if one != line), outcome=outcome)


def text_of(raw: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the lines of what was read, and how many bytes they have instead where that is no text."""
    sample = raw[:_JUDGED]
    odd = sum(c == "\ufffd" or not (c.isprintable() or c in "\t\n\r\f\b\x1b") for c in sample)
    if odd > _MOST_ODD * len(sample):
        return (), {BINARY: str(len(raw.encode()) - 2 * raw.count("\ufffd"))}  # each stands for a byte
    text = raw.removesuffix("\n")
    return tuple(text.split("\n")) if text else (), {}


def not_text(outcome: Mapping[str, str]) -> str:
    """Why nothing can be said of what is no text; empty for text."""
    return f"it is {int(outcome[BINARY]):,} bytes that are no text" if BINARY in outcome else ""


def bounded(lines: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Cut lines to `MAX_LINES` of `MAX_LINE` characters; also return whether there was more of either."""
    kept = tuple(line if len(line) <= MAX_LINE else line[:MAX_LINE] for line in lines[:MAX_LINES])
    return kept, len(lines) > MAX_LINES or any(len(line) > MAX_LINE for line in lines[:MAX_LINES])
