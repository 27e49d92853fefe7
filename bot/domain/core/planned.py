"""Dry runs: the calls that a command would make, in order. Nothing is sent, so nothing is read either.

What is known only from the answer to an earlier call stands in angle brackets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

POD, UID, VERSION = "<the pod>", "<its uid>", "<its resource version>"
REQUEST = "<the request's id>"
THEN = "<as it is then>"
PLACEHOLDER = re.compile(r"<(?:the|its|a|as) [^<>]*>")
"""What stands for a value that is not known yet; anything else in angle brackets was typed."""


def unread(text: str) -> str:
    """A text as far as it is known: one that depends on what would be read is not."""
    return THEN if PLACEHOLDER.search(text) else text


@dataclass
class PlannedCalls:
    """Collects what would be done."""

    lines: list[str] = field(default_factory=list)
    count: int = 0
    """How many calls there are among the lines."""

    def call(self, text: str, *details: str) -> None:
        """Add a call, with further lines about it."""
        self.count += 1
        self.lines.append(f"{self.count}. {text}")
        self.lines += [f"   {line}" for detail in details for line in detail.split("\n")]

    def heading(self, text: str) -> None:
        """Say when the calls after it are made."""
        self.lines += [*([""] if self.lines else []), f"{text}:"]
