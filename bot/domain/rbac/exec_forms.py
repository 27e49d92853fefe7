"""Declares which commands the bot runs in containers, so that admission can refuse the account all others.

Whatever makes an argument list declares its form beside it, in a function ``exec_forms`` of the module, which
`bot.wiring.exec_forms` lists. An argument is a constant, or a `Matching` where only its form is known before:

    ExecForm(kali, ("cat", path))
    ExecForm(kali, ("dd", f"of={path}.new", "bs=1", number("count=")), stdin=True)
    ExecForm(kali, (file_in("/opt/scripts"),))
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.core.pattern import pattern


@dataclass(frozen=True)
class Matching:
    """An argument that varies: all of these patterns of RE2 match it, each from its start to its end."""

    patterns: tuple[str, ...]
    between: tuple[int, int] | None = None
    """The least and the greatest number that it may be, for an argument that is a whole number."""

    def fits(self, word: str) -> bool:
        """Whether an argument has this form."""
        if not all(pattern(whole(one)).found(word) for one in self.patterns):
            return False
        return self.between is None or self.between[0] <= int(word) <= self.between[1]


Word = str | Matching
"""One argument: a constant, or what varies."""


@dataclass(frozen=True)
class ExecForm:
    """A command in one container: its arguments in order, the program first."""

    container: str
    words: tuple[Word, ...]
    more: Matching | None = None
    """The form of further arguments, of which there are up to ``most``."""
    most: int = 0
    stdin: bool = False
    """Whether it gets its standard input from the bot; else it may have none. None has a terminal."""

    @property
    def constant(self) -> tuple[str, ...]:
        """The arguments where none of them varies; else none."""
        known = tuple(word for word in self.words if isinstance(word, str))
        return known if self.more is None and len(known) == len(self.words) else ()

    def fits(self, container: str, argv: Sequence[str], *, stdin: bool = False) -> bool:
        """Whether this is a command of this form."""
        if (container, stdin) != (self.container, self.stdin):
            return False
        fixed, rest = argv[: len(self.words)], argv[len(self.words) :]
        if len(fixed) < len(self.words) or len(rest) > self.most:
            return False
        known = all(_fits(form, word) for form, word in zip(self.words, fixed, strict=True))
        return known and all(self.more is not None and self.more.fits(word) for word in rest)


def _fits(form: Word, word: str) -> bool:
    return form.fits(word) if isinstance(form, Matching) else form == word


def whole(text: str) -> str:
    """The pattern that matches only from the start to the end."""
    return rf"\A(?:{text})\z"


def literal(text: str) -> str:
    """The pattern that matches this text."""
    return re.sub(r"[][\\.+*?()|{}^$]", r"\\\g<0>", text)


def number(before: str = "", after: str = "") -> Matching:
    """An argument with a whole number in it: ``number("count=")``."""
    return Matching((f"{literal(before)}[0-9]{{1,18}}{literal(after)}",))


_NO_NAME = r"\x00-\x1f\x7f/"
"""Characters that no file name has here: control characters and slashes."""
ANY_NAME = rf"(?:[^.{_NO_NAME}]|\.[^.{_NO_NAME}]|\.\.[^{_NO_NAME}])[^{_NO_NAME}]{{0,253}}"
"""The pattern of a file's name: none but ``.`` and ``..`` are left out."""


def file_in(folder: str, name: str = ANY_NAME, after: str = "") -> Matching:
    """The path of a file right in a folder; ``name`` is the pattern of its name, ``after`` its end."""
    return Matching((f"{literal(folder.rstrip('/') + '/')}(?:{name}){literal(after)}",))


def one_of(values: Sequence[str]) -> Matching:
    """One of several constants."""
    return Matching(("|".join(map(literal, values)),))
