"""Regular expressions that somebody wrote, for text that somebody else controls: RE2's, which never backtrack.

Python's ``re`` needs exponential time for some patterns, and holds the interpreter's lock meanwhile. RE2 reads
each character a bounded number of times, whatever the pattern; look-around and back-references are not in it for
that reason.
"""

from __future__ import annotations

from functools import lru_cache

import re2

MEMORY = 1 << 20
"""Bytes that a pattern may take. One that needs more, by counted repetitions, is refused."""

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
        """Raises ValueError that says what is wrong with it, and what would be right."""
        options = re2.Options()
        options.log_errors, options.max_mem, options.case_sensitive = False, MEMORY, not ignore_case
        try:
            self._search = re2.compile(text, options).search
        except re2.error as error:
            raise ValueError(_wrong(text, str(error.args[0], "utf-8", "replace"))) from None
        except UnicodeEncodeError:
            raise ValueError("not a regular expression: it has half a character in it") from None

    def found(self, text: str) -> bool:
        """Whether it is found anywhere in the text."""
        try:
            return self._search(text) is not None
        except UnicodeEncodeError:  # half a character, which no encoding has
            return self._search(text.encode("utf-8", "replace").decode()) is not None


@lru_cache(maxsize=256)
def pattern(text: str, *, ignore_case: bool = False) -> Pattern:
    """The compiled pattern, kept for the next time. Raises ValueError as `Pattern` does."""
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
