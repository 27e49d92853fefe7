"""Read ``Retry-After`` headers (RFC 9110, 10.2.3) and limit how long the bot waits for them.

Any server or proxy on the way can send any value, so the pause is at most `LONGEST`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from bot.domain.core import words

LONGEST = 120.0
"""Longest pause for one header, in seconds."""
_NUMBER = re.compile(r"\d{1,300}(?:\.\d{1,300})?")


@dataclass(frozen=True)
class Pause:
    """``seconds`` to wait; ``asked`` is what the header asked for, infinite for a number too large for a float."""

    seconds: float
    asked: float

    def __str__(self) -> str:
        """A sentence where the pause is shorter than what was asked for; else empty."""
        if self.asked <= self.seconds:
            return ""
        wanted = words.age(timedelta(seconds=min(self.asked, 3.1e9)))
        taken = words.age(timedelta(seconds=self.seconds))
        if wanted == taken:
            return ""
        return f"It asked for a pause of {wanted}; agentpod tries again after {taken}."


def read(value: str | None, now: datetime) -> Pause | None:
    """Parse a header's value, a number of seconds or a date. None where it is neither."""
    text = (value or "").strip()[:1000]
    if _NUMBER.fullmatch(text) and text.isascii():
        asked = float(text)
    else:
        try:
            date = parsedate_to_datetime(text[:64])
            asked = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    asked = max(0.0, asked)
    return Pause(min(asked, LONGEST), asked) if not math.isnan(asked) else None


def seconds(value: str | None, now: datetime) -> float | None:
    """Seconds to wait for a header's value; None where it is missing or invalid."""
    pause = read(value, now)
    return None if pause is None else pause.seconds


def said(value: str | None, now: datetime) -> str:
    """Suffix for an error message: empty, or a space and a sentence on the shortened pause."""
    text = str(read(value, now) or "")
    return f" {text}" if text else ""
