"""What the patterns share: RE2 on UTF-8, and places in text that overlap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import re2
from re2 import _re2

Span = tuple[int, int]

MEMORY = 4 << 20
"""Bytes that a pattern's states may take; beyond that RE2 forgets some and makes them again."""

_REGEXP = type(re2.compile(b""))
_UNANCHORED = _re2.RE2.Anchor.UNANCHORED


class Finder:
    """A pattern's matches as places only: to make and ask re2's match objects takes longer than to search."""

    __slots__ = ("_groups", "_match")

    def __init__(self, pattern: Any) -> None:
        """``pattern`` is an RE2 that matches no empty text."""
        self._match = pattern.Match
        self._groups: int = pattern.NumberOfCapturingGroups()

    def first(self, data: bytes, position: int = 0) -> Span:
        """The first match from there on; -1 and -1 where there is none."""
        found: Span = self._match(_UNANCHORED, data, position, len(data))[0]
        return found

    def matches(self, data: bytes) -> Iterator[list[Span]]:
        """Each match: all of it, then its groups, -1 and -1 for one that is not in it."""
        match, size, position = self._match, len(data), 0
        while True:
            found: list[Span] = match(_UNANCHORED, data, position, size)
            position = found[0][1]
            if position < 0:
                return
            yield found

    def spans(self, data: bytes) -> Iterator[Span]:
        """Each match's groups, or all of it where it has none."""
        if not self._groups:
            return (found[0] for found in self.matches(data))
        return (span for found in self.matches(data) for span in found[1:] if span[0] >= 0)


def finder(pattern: str, *, ignore_case: bool = False, captures: bool = True, memory: int = MEMORY) -> Finder:
    """What finds a pattern in UTF-8, in time that grows with the text. Raises ValueError for one that is none."""
    return _finder(pattern.encode(), _options(ignore_case=ignore_case, captures=captures, memory=memory))


def bytes_finder(pattern: bytes, *, memory: int = MEMORY) -> Finder:
    """What finds a pattern of single bytes."""
    options = _options(captures=False, memory=memory)
    options.encoding = re2.Options.Encoding.LATIN1
    return _finder(pattern, options)


def _finder(pattern: bytes, options: re2.Options) -> Finder:
    """Kept by whoever asks: `re2.compile` would keep it for ever, and known values with it."""
    made = _re2.RE2(pattern, options)
    if not made.ok():
        raise ValueError(made.error().decode())
    return Finder(made)


def compiled(pattern: bytes) -> Any:
    """A pattern of single bytes with named groups, see `_finder`."""
    options = _options()
    options.encoding = re2.Options.Encoding.LATIN1
    return _REGEXP(pattern, options)


def compiled_set(patterns: Sequence[str], *, memory: int = MEMORY) -> Any:
    """Patterns of which `Match` gives the numbers of those that are in a text, whatever their case."""
    made = re2.Set.SearchSet(_options(ignore_case=True, captures=False, memory=memory))
    for pattern in patterns:
        made.Add(pattern.encode())
    made.Compile()
    return made


def _options(*, ignore_case: bool = False, captures: bool = True, memory: int = MEMORY) -> re2.Options:
    options = re2.Options()
    options.max_mem = memory
    options.case_sensitive = not ignore_case
    options.never_capture = not captures
    options.log_errors = False
    return options


def merged(found: Iterable[Span]) -> list[Span]:
    """Spans in order; those that overlap become one, so that no part of either is left."""
    result: list[Span] = []
    for start, end in sorted(found):
        if result and start < result[-1][1]:
            result[-1] = result[-1][0], max(end, result[-1][1])
        else:
            result.append((start, end))
    return result
