"""Shows the times in the bot's texts as a reader in UTC sees them."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from bot.domain.core import moments
from bot.domain.core.outside import with_texts

T = TypeVar("T")


def utc(value: T, now: datetime) -> T:
    """A text, or whatever holds texts, with short times in UTC: `bot.domain.core.moments.Moment.short`."""
    return with_texts(value, lambda text: moments.short(text, now))
