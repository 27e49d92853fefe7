"""What an expression's text shows without its being compiled: loops, and what they run over. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

TEXT = re.compile(
    r"""(?s)'{3}.*?'{3}|"{3}.*?"{3}|[rR](?:'[^'\n]*'|"[^"\n]*")|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|//[^\n]*"""
)
"""Texts and comments in an expression, in which a variable's name is only a word."""
_MACRO = "all|exists|exists_one|filter|map"
_TOKEN = re.compile(rf"\.\s*({_MACRO}|grep)\s*\(|[(\[{{]|[)\]}}]")
_OPENING = {")": "(", "]": "["}


def masked(source: str) -> str:
    """The expression with each text and comment as quotes around dots, every character in its place."""
    return TEXT.sub(lambda found: f"'{'.' * (len(found[0]) - 2)}'", source)


@lru_cache(maxsize=4_096)
def loops(source: str) -> int:
    """How deep its loops are nested: 0 for none. ``grep`` alone is none, but is one within a loop."""
    deepest, around = 0, [0]
    for token in _TOKEN.finditer(masked(source)):
        if token[0] in ")]}":
            around = around[:-1] or [0]
        else:
            around.append(around[-1] + (token[1] is not None and (token[1] != "grep" or around[-1] > 0)))
            deepest = max(deepest, around[-1])
    return deepest


@lru_cache(maxsize=4_096)
def looped(source: str, name: str) -> bool:
    """Whether a loop runs over the variable ``name`` itself."""
    return re.search(rf"(?<![\w.]){re.escape(name)}\s*\.\s*({_MACRO})\s*\(", masked(source)) is not None


def receiver(source: str, end: int) -> str:
    """What stands before the dot at ``end``: ``a.filter(…)`` of ``a.filter(…).all(…)``."""
    text = masked(source)
    at = end = len(text[:end].rstrip())
    while at > 0 and (text[at - 1].isalnum() or text[at - 1] in "_.)]" or _before_dot(text, at)):
        at = _opening(text, at - 1) if text[at - 1] in _OPENING else at - 1
    return " ".join(source[at:end].split())


def _before_dot(text: str, at: int) -> bool:
    """Whether the character before ``at`` is a blank that a dot follows."""
    return text[at - 1].isspace() and text[at:].lstrip()[:1] == "."


def _opening(text: str, closing: int) -> int:
    """Where the bracket begins that ends at ``closing``."""
    depth = 0
    for at in range(closing, -1, -1):
        depth += (text[at] in ")]") - (text[at] in "([")
        if depth == 0:
            return at
    return 0
