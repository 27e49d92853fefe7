"""Problems of a runbook file: where, what is wrong, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from bot.domain.core import words


@dataclass(frozen=True)
class Problem:
    """One problem, as ``file line 12, checks.pool.expect: …`` with a caret under an expression's text."""

    file: str
    line: int
    """From 1; 0 where the whole file is meant."""
    place: str
    """Dotted: ``checks.pool.expect``."""
    message: str
    """A sentence without its full stop."""
    excerpt: str = ""
    """The line of the expression in which the problem is."""
    column: int = 0
    """From 1; 0 for no caret."""

    def __str__(self) -> str:
        """The problem in one line, or three with the caret."""
        where = f"{self.file} line {self.line}" if self.line else self.file
        end = "" if self.message.endswith("?") else "."
        said = (
            f"{where}, {words.visible(self.place)}: {self.message}{end}"
            if self.place
            else f"{where}: {self.message}{end}"
        )
        if not self.excerpt:
            return said
        return f"{said}\n  {self.excerpt}\n  {' ' * (self.column - 1)}^"


def nearest_word(word: str, known: Iterable[str]) -> str:
    """Return a hint: the most similar known word, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(names)}" if names else "there is none"
