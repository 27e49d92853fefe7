"""What the patterns share: RE2 on UTF-8, and places in text that overlap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import re2

Span = tuple[int, int]

MEMORY = 4 << 20
"""Bytes that a pattern's states may take; beyond that RE2 forgets some and makes them again."""


def compiled(
    pattern: str | bytes,
    *,
    ignore_case: bool = False,
    longest: bool = False,
    captures: bool = True,
    memory: int = MEMORY,
) -> Any:
    """A pattern for UTF-8, or (given as bytes) for single bytes.

    RE2 takes time in proportion to the text. It is kept by whoever asks: `re2.compile` would keep it for ever, and
    known values with it.
    """
    options = re2.Options()
    if isinstance(pattern, bytes):
        options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = memory
    options.case_sensitive = not ignore_case
    options.longest_match = longest
    options.never_capture = not captures
    options.log_errors = False
    return _REGEXP(pattern.encode() if isinstance(pattern, str) else pattern, options)


def compiled_set(patterns: Sequence[str], *, memory: int = MEMORY) -> Any:
    """Patterns of which `Match` gives the numbers of those that are in a text, whatever their case."""
    options = re2.Options()
    options.max_mem, options.case_sensitive, options.never_capture = memory, False, True
    made = re2.Set.SearchSet(options)
    for pattern in patterns:
        made.Add(pattern.encode())
    made.Compile()
    return made


_REGEXP = type(re2.compile(b""))


def spans(pattern: Any, data: bytes) -> Iterator[Span]:
    """Each match's groups, or all of it where it has none."""
    groups = range(1, pattern.groups + 1) if pattern.groups else (0,)
    for match in pattern.finditer(data):
        yield from (span for number in groups if (span := match.span(number))[0] >= 0)


def merged(found: Iterable[Span]) -> list[Span]:
    """Spans in order; those that overlap become one, so that no part of either is left."""
    result: list[Span] = []
    for start, end in sorted(found):
        if result and start < result[-1][1]:
            result[-1] = result[-1][0], max(end, result[-1][1])
        else:
            result.append((start, end))
    return result
