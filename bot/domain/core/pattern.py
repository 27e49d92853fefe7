"""Search with user-supplied regular expressions in untrusted text, in linear time (RE2).

Python's ``re`` backtracks: some patterns take exponential time, with the interpreter's lock held. RE2 reads each
character a bounded number of times, and therefore has no look-around and no back-references.
"""

from __future__ import annotations

from functools import lru_cache

import re2

MEMORY = 1 << 20
"""Memory limit of a compiled pattern, in bytes. Large counted repetitions exceed it and are refused."""

_NO_LOOKING = (
    "look-ahead, look-behind and other (?…) extensions are not supported: every pattern must be searched in "
    "linear time. Write it without them"
)
_NO_REFERENCES = (
    "back-references are not supported: every pattern must be searched in linear time. Write out what is repeated"
)


class Pattern:
    """A compiled pattern."""

    def __init__(self, text: str, *, ignore_case: bool = False) -> None:
        """Compile ``text``. Raises ValueError that says what is wrong, and what to write instead."""
        options = re2.Options()
        options.log_errors, options.max_mem, options.case_sensitive = False, MEMORY, not ignore_case
        try:
            self._search = re2.compile(text, options).search
        except re2.error as error:
            raise ValueError(_wrong(text, str(error.args[0], "utf-8", "replace"))) from None
        except UnicodeEncodeError:
            raise ValueError("not a regular expression: it has half a character in it") from None

    def found(self, text: str) -> bool:
        """Whether the pattern matches anywhere in the text."""
        return self.first(text) is not None

    def first(self, text: str) -> str | None:
        """The first part of the text that the pattern matches; None where none does."""
        try:
            match = self._search(text)
        except UnicodeEncodeError:  # a lone surrogate
            match = self._search(text.encode("utf-8", "replace").decode())
        return None if match is None else str(match.group(0))


@lru_cache(maxsize=256)
def pattern(text: str, *, ignore_case: bool = False) -> Pattern:
    """Compile a pattern, or take it from the cache. Raises ValueError as `Pattern` does."""
    return Pattern(text, ignore_case=ignore_case)


def _wrong(text: str, said: str) -> str:
    what, _, where = said.partition(": ")
    if "(?" in where and "perl operator" in what:
        return f"{_NO_LOOKING} (at {where!r})"
    if where[:1] == "\\" and where[1:2].isdigit():
        return f"{_NO_REFERENCES} (at {where!r})"
    if "too large" in what or "repetition size" in what:
        limit = "a repetition takes two counts up to 1,000, the smaller one first"
        return f"not a usable regular expression: {limit} (at {where or text[:20]!r})"
    if "escape" in what:
        return f"not a regular expression: {what} at {where!r}; the syntax is RE2's, in which \\z is the end"
    return f"not a regular expression: {what} at {where!r}" if where else f"not a regular expression: {what}"
