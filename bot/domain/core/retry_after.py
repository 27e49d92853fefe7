"""``Retry-After`` as other sides send it (RFC 9110, 10.2.3): how long is really waited, and what is said of it.

Anybody between here and there can send any value, so it is a wish with a limit: who asks for a day is asked again
after `LONGEST`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from bot.domain.core import words

LONGEST = 120.0
"""Seconds that are waited at most for one such header."""
_NUMBER = re.compile(r"\d{1,300}(?:\.\d{1,300})?")


@dataclass(frozen=True)
class Pause:
    """``seconds`` to wait; ``asked`` are those that the other side wanted, infinite for absurdly many."""

    seconds: float
    asked: float

    def __str__(self) -> str:
        """Nothing, or how it differs from what was asked for."""
        if self.asked <= self.seconds:
            return ""
        wanted = words.age(timedelta(seconds=min(self.asked, 3.1e9)))
        taken = words.age(timedelta(seconds=self.seconds))
        if wanted == taken:
            return ""
        return f"It asked for a pause of {wanted}; agentpod tries again after {taken}."


def read(value: str | None, now: datetime) -> Pause | None:
    """The pause that a header's value asks for: a number of seconds or a date. None where it is neither."""
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
    """How many seconds are waited for a header's value. None where it asks for nothing."""
    pause = read(value, now)
    return None if pause is None else pause.seconds


def said(value: str | None, now: datetime) -> str:
    """What is added to a message about it: nothing, or a sentence with a space before it."""
    text = str(read(value, now) or "")
    return f" {text}" if text else ""
