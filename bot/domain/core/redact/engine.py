"""Thin wrappers of RE2 for searching UTF-8 bytes, and merging of spans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import re2
from re2 import _re2

Span = tuple[int, int]

MEMORY = 4 << 20
"""Memory for a pattern's cached states, in bytes; when it is full, RE2 drops them and builds them again."""

_REGEXP = type(re2.compile(b""))
_UNANCHORED = _re2.RE2.Anchor.UNANCHORED


class MatchFinder:
    """Finds the spans of a pattern's matches. Creating re2's match objects would take longer than the search."""

    __slots__ = ("_groups", "_match")

    def __init__(self, pattern: Any) -> None:
        """``pattern`` is an RE2 that does not match the empty text."""
        self._match = pattern.Match
        self._groups: int = pattern.NumberOfCapturingGroups()

    def first(self, data: bytes, position: int = 0) -> Span:
        """The span of the first match from ``position`` on; (-1, -1) where there is none."""
        found: Span = self._match(_UNANCHORED, data, position, len(data))[0]
        return found

    def spans(self, data: bytes) -> Iterator[Span]:
        """Yield the spans of each match's groups, or of the whole match where the pattern has no groups."""
        match, groups, size, position = self._match, self._groups, len(data), 0
        while True:
            found: list[Span] = match(_UNANCHORED, data, position, size)
            position = found[0][1]
            if position < 0:
                return
            if not groups:
                yield found[0]
                continue
            for span in found[1:]:
                if span[0] >= 0:
                    yield span


def finder(pattern: str, *, ignore_case: bool = False, captures: bool = True, memory: int = MEMORY) -> MatchFinder:
    """Compile a pattern for UTF-8 text. Raises ValueError for an invalid pattern."""
    return _finder(pattern.encode(), _options(ignore_case=ignore_case, captures=captures, memory=memory))


def bytes_finder(pattern: bytes, *, memory: int = MEMORY) -> MatchFinder:
    """Compile a pattern of single bytes (Latin-1)."""
    options = _options(captures=False, memory=memory)
    options.encoding = re2.Options.Encoding.LATIN1
    return _finder(pattern, options)


def _finder(pattern: bytes, options: re2.Options) -> MatchFinder:
    """Compile without `re2.compile`, whose cache would keep the pattern for ever, and known values in it."""
    made = _re2.RE2(pattern, options)
    if not made.ok():
        raise ValueError(made.error().decode())
    return MatchFinder(made)


def compiled(pattern: bytes) -> Any:
    """Compile a pattern of single bytes with named groups; it is not cached, as in `_finder`."""
    options = _options()
    options.encoding = re2.Options.Encoding.LATIN1
    return _REGEXP(pattern, options)


def compiled_set(patterns: Sequence[str], *, memory: int = MEMORY) -> Any:
    """Compile several patterns, ignoring case. `Match` returns the indexes of those that match a text."""
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
    """Sort spans, and join those that overlap."""
    result: list[Span] = []
    for start, end in sorted(found):
        if result and start < result[-1][1]:
            result[-1] = result[-1][0], max(end, result[-1][1])
        else:
            result.append((start, end))
    return result
