"""Splits command lines into words. Pure.

A command line has words, quoted words, ``--flag value`` and ``--flag=value``. Phones replace straight quotes by
curly ones and ``--`` by a long dash, so these are understood as well. Zero-width characters around a word, which
copied text often has, are dropped unless they are quoted. After a backslash a character is itself: a
curly quote stays one, and a word that begins with ``\\--`` is no flag.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.errors import UsageError

MAX_LINE = 3000
"""Longest accepted command line, in characters."""


_QUOTES = {"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'"}
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<double>"(?:[^"\\]|\\.)*")|(?P<single>'[^']*')|(?P<escape>\\.)|(?P<plain>[^\s"'\\]+)""",
    re.DOTALL,
)


ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"


class Literal(str):
    """A word that begins with an escaped character, and so is no flag."""

    __slots__ = ()


def split(line: str) -> list[str]:
    """Split a command line into words. Raises `UsageError` for an open quote and for a line that is too long."""
    if len(line) > MAX_LINE:
        raise UsageError(f"That command line has {len(line):,} characters; at most {MAX_LINE:,} are taken.")
    text = "".join(_QUOTES.get(c, c) for c in line)
    words: list[str] = []
    word: str | None = None
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _open_quote(text, position)
        position = match.end()
        if match.lastgroup == "space":
            if word is not None:
                words.append(word)
            word = None
        else:
            begins = word is None and match.lastgroup == "escape"
            said = _unquote(match, line[match.start() : position])
            if not said and match.lastgroup == "plain":
                continue
            word = Literal(said) if begins else type(word)((word or "") + said) if word is not None else said
    return words if word is None else [*words, word]


def _open_quote(text: str, position: int) -> UsageError:
    """The error for an open quote, by position only: the command isn't parsed yet, so the text may be secret."""
    if text[position] == "\\":
        return UsageError("The line ends in a backslash with nothing after it.", remedy="Leave it out.")
    return UsageError(
        f"A quote is left open: character {position + 1} of the line.",
        remedy='Close it, or write \\" for a quote that belongs to the text.',
    )


def _unquote(match: re.Match[str], typed: str) -> str:
    """The text of a token; ``typed`` is the same with its curly quotes, which are kept after a backslash."""
    text = match.group(0)
    kind = match.lastgroup
    if kind == "double":
        return _ESCAPED.sub(lambda found: _meant(found, typed[found.end()]), text[1:-1])
    if kind == "single":
        return text[1:-1]
    return typed[1:] if kind == "escape" else text.strip(ZERO_WIDTH)


_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def _meant(found: re.Match[str], typed: str) -> str:
    """What a backslash within double quotes and the character after it mean: mostly both, as in a pattern."""
    return typed if found[1] in '"\\' or typed in _QUOTES else found[0]


def words_of(line: str, with_values: frozenset[str] = frozenset()) -> list[str]:
    """A line's words, with a long dash at the beginning of one, as phones write it, turned back into ``--``.

    After ``--`` all is as it was typed, unless that is the value of one of the flags ``with_values``.
    """
    found: list[str] = []
    ended = False
    for word in split(line):
        dashed = not ended and not isinstance(word, Literal) and word.startswith(("–", "—"))
        found.append("--" + word.lstrip("–—") if dashed else word)
        ended = ended or (ends_flags(found[-1]) and not takes_next(found[:-1], with_values))
    return found


def with_units(words: Sequence[str]) -> list[str]:
    """Join a number and the unit behind it to one word: ``2 h`` is how the bot itself writes ``2h``."""
    found: list[str] = []
    for word in words:
        if not found or word not in _UNITS or not _NUMBER.fullmatch(found[-1]):
            found.append(word)
            continue
        joined = found.pop() + _UNITS[word]
        before = found.pop() if found and _TIME.fullmatch(found[-1]) else ""
        found.append(before + joined)
    return found


_UNITS = {"s": "s", "min": "m", "m": "m", "h": "h", "d": "d", "w": "w"}
_NUMBER = re.compile(r"[0-9]{1,6}")
_TIME = re.compile(r"(?:[0-9]{1,6}[smhdw])+")


def takes_next(words: Sequence[str], with_values: frozenset[str]) -> bool:
    """Whether the last word is a flag that takes the next one as its value."""
    return bool(words) and is_flag(words[-1]) and words[-1].lower() in with_values


def ends_flags(word: str) -> bool:
    """Whether all words behind this one are no flags."""
    return word == "--" and not isinstance(word, Literal)


def is_flag(word: str) -> bool:
    """Whether a word is a flag, and not one that was escaped."""
    return word.startswith("--") and not isinstance(word, Literal)
