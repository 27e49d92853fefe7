"""Searches lines with a user's regular expression: in linear time, in a thread, within a deadline."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence

from bot.domain.core.pattern import Pattern, pattern
from bot.domain.core.target import MAX_PATTERN
from bot.errors import UsageError

DEADLINE = 2.0
"""The deadline of a search in seconds: many counted repetitions are slow on a large log."""
MAX_SEARCHED = 16_384
"""Maximum characters of a line that are searched."""


def check_pattern(text: str) -> str:
    """Return a valid pattern unchanged. Raises ValueError that says what is wrong with it."""
    if not text:
        raise ValueError("the pattern is empty, which every line matches; leave --grep out to see all lines")
    if len(text) > MAX_PATTERN:
        raise ValueError(f"the pattern has {len(text):,} characters; at most {MAX_PATTERN} are taken")
    _compiled(text)
    return text


def ignores_case(text: str) -> bool:
    """Whether to ignore case: unless the pattern has a capital letter (escapes such as ``\\S`` don't count)."""
    return not any(c.isupper() for c in re.sub(r"\\.", "", text, flags=re.DOTALL))


def _compiled(text: str) -> Pattern:
    return pattern(text, ignore_case=ignores_case(text))


async def matching(text: str, lines: Sequence[str], deadline: float = DEADLINE) -> list[int]:
    """Return the indexes of the lines that match the pattern.

    Raises UsageError if the search takes longer than ``deadline`` seconds.
    """
    found = await asyncio.to_thread(_search, _compiled(text), lines, deadline)
    if found is None:
        raise UsageError(
            f"--grep: searching for this pattern took more than {deadline:g} s and was ended.",
            remedy="Counted repetitions such as (.{0,99}x){9} take long. Use a plain word, or a smaller --tail.",
        )
    return found


def _search(wanted: Pattern, lines: Sequence[str], deadline: float) -> list[int] | None:
    """Return the matching lines' indexes; None beyond the deadline. RE2 releases the GIL meanwhile."""
    end = time.monotonic() + deadline
    found = []
    for number, line in enumerate(lines):
        if wanted.found(line if len(line) <= MAX_SEARCHED else line[:MAX_SEARCHED]):
            found.append(number)
        if time.monotonic() > end:
            return None
    return found
