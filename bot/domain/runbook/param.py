"""Parameters of declared commands: what each takes, and where its value goes. Pure.

A value is one argument, or fills a slot ``{name}`` inside one word of a command. It never passes a shell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from bot.domain.core.pattern import pattern as compiled_pattern
from bot.domain.core.target import Duration, parse_duration
from bot.domain.core.words import straight
from bot.domain.rbac.exec_forms import literal
from bot.domain.runbook.entry import Line
from bot.domain.runbook.kind import FactUse

MOST_CHARACTERS = 200
"""Most characters of a value."""
SLOT = re.compile(r"\{([a-z][a-z0-9-]*)\}")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")
"""Text that means nothing else in any shell or script."""
_CLASS = r"\[(?:[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9]|[A-Za-z0-9_@%+=:,./]|\\[dw.-])+-?\]"
_PLAIN_PATTERN = re.compile(
    rf"(?:[A-Za-z0-9_@%=:,/-]|\\[dw.+-]|{_CLASS}|\((?:\?:|(?!\?))|[)|?*+]|\{{[0-9]+(?:,[0-9]*)?\}})*"
)
"""A pattern of RE2 that matches nothing but such text."""
_WAYS = ("one_of", "pattern", "integer", "duration", "listed")
Choice = Annotated[str, StringConstraints(min_length=1, max_length=MOST_CHARACTERS, pattern=r"^[^\n\r]*$")]


class Param(BaseModel):
    """A parameter of a declared command: exactly one of the ways to say what it takes."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)

    one_of: tuple[Choice, ...] = Field(default=(), max_length=50)
    """The values that are taken."""
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """A pattern of RE2 for the whole value."""
    integer: tuple[int, int] | None = None
    """A whole number: the least and the greatest."""
    duration: tuple[Duration, Duration] | None = None
    """Shortest and longest; the value goes into the command as it was typed."""
    listed: FactUse | None = None
    """A fact whose lines are the names that are taken."""
    default: str | None = None
    """The value where none is given; the parameter is a flag then. Not set: it must be given."""
    about: Line | None = None
    """What it means, for `help`."""
    data: bool = False
    """That each program takes a value of `pattern` or `listed` as data, and runs no part of it. Needed for
    programs that are not known to."""
    leading_dash: bool = False
    """Whether a value of `pattern` or `listed` may begin with a dash, as an option of the program does."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [way for way in _WAYS if getattr(self, way) not in (None, ())]
        if len(given) != 1:
            several = f"it has {' and '.join(given)}" if given else "it has none"
            raise ValueError(f"a parameter takes one of {', '.join(_WAYS)}, and {several}")
        if self.pattern is not None:
            compiled_pattern(self.pattern)  # by itself: an unmatched parenthesis would undo the anchors
            compiled_pattern(self._whole_pattern)
        if self._ends_are_reversed:
            raise ValueError("the least is more than the most")
        for value in self.one_of:
            try:
                self.accepted(value)
            except ValueError as error:
                raise ValueError(f"{value!r} can never be given: {error}") from None
        if self.default is not None:
            try:
                self.accepted(self.default)
            except ValueError as error:
                raise ValueError(f"the default is not taken: {error}") from None
        return self

    @property
    def _ends_are_reversed(self) -> bool:
        numbers = self.integer is not None and self.integer[0] > self.integer[1]
        return numbers or (self.duration is not None and self.duration[0] > self.duration[1])

    @property
    def _whole_pattern(self) -> str:
        return rf"\A(?:{self.pattern})\z"

    @property
    def is_plain(self) -> bool:
        """Whether no value of it can have a blank, a quote or another character with a meaning in a script."""
        if self.one_of:
            return all(_PLAIN.fullmatch(value) for value in self.one_of)
        if self.pattern is not None:
            return _PLAIN_PATTERN.fullmatch(self.pattern) is not None
        return self.integer is not None or self.duration is not None

    @property
    def is_free(self) -> bool:
        """Whether the file doesn't have all of its values, or they are more than numbers."""
        return self.pattern is not None or self.listed is not None

    @property
    def takes(self) -> str:
        """What it takes, for `help`."""
        if self.one_of:
            return f"one of {', '.join(self.one_of)}"
        if self.integer is not None:
            return f"a whole number from {self.integer[0]} to {self.integer[1]}"
        if self.duration is not None:
            return f"a duration from {_short(self.duration[0])} to {_short(self.duration[1])}"
        if self.listed is not None:
            return f"a name that {self.listed.source} lists"
        return f"text of the form {self.pattern}"

    @property
    def value_pattern(self) -> str:
        """The pattern of RE2 of values that are taken, for the API server's admission, without anchors.

        It may take more than `accepted` does: numbers outside the limits, and names that no fact lists.
        """
        if self.one_of:
            return "|".join(map(literal, self.one_of))
        if self.integer is not None:
            return "-?[0-9]{1,18}" if self.integer[0] < 0 else "[0-9]{1,18}"
        if self.duration is not None:
            return r"(?:[0-9]{1,12}(?:\.[0-9]{1,9})?(?:ms|s|m|h|d|w)){1,6}"
        return self.pattern or self.plain_pattern

    @property
    def plain_pattern(self) -> str:
        """The pattern of what every value of it is: printable, not too long, and without a dash in front."""
        first = r"[^\x00-\x1f\x7f]" if self._takes_dash else r"[^\x00-\x1f\x7f-]"
        return rf"{first}[^\x00-\x1f\x7f]{{0,{MOST_CHARACTERS - 1}}}"

    def accepted(self, text: str) -> str:
        """Return a valid value as it goes into the command. Raises ValueError with what is wrong.

        A name that a fact lists is compared with the fact later.
        """
        if not text:
            raise ValueError(f"it is empty; it takes {self.takes}")
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"it has {len(text):,} characters; at most {MOST_CHARACTERS} are taken")
        if not text.isprintable():
            raise ValueError("it has a line break or another character that can't be shown")
        if text.startswith("-") and not self._takes_dash:
            raise ValueError("it begins with a dash, which the program would read as an option")
        if not self._fits(text):
            raise ValueError(f"{_cut(text)!r} is not taken; it takes {self.takes}")
        if self.one_of:
            return self._chosen(text) or text
        return str(int(text)) if self.integer is not None else text

    def _chosen(self, text: str) -> str | None:
        """The value that was meant: a phone types another quote than the file may have."""
        return (
            text if text in self.one_of else next((c for c in self.one_of if straight(c) == straight(text)), None)
        )

    @property
    def _takes_dash(self) -> bool:
        """Whether values that begin with a dash are declared: so by the author, or each by itself."""
        return self.leading_dash or bool(self.one_of) or (self.integer is not None and self.integer[0] < 0)

    def _fits(self, text: str) -> bool:
        if self.one_of:
            return self._chosen(text) is not None
        if self.pattern is not None:
            return compiled_pattern(self._whole_pattern).found(text)
        if self.integer is not None:
            whole = _WHOLE_NUMBER.fullmatch(text)
            return whole is not None and self.integer[0] <= int(text) <= self.integer[1]
        if self.duration is not None:
            return self._fits_duration(text, self.duration)
        return True

    def _fits_duration(self, text: str, ends: tuple[timedelta, timedelta]) -> bool:
        try:
            return text == text.strip() and ends[0] <= parse_duration(text) <= ends[1]
        except (ValueError, OverflowError):
            return False


def slots(words: tuple[str, ...]) -> Iterator[str]:
    """Return the names in braces in a command's words. Those of no parameter are literal text."""
    for word in words:
        yield from SLOT.findall(word)


def filled(words: tuple[str, ...], values: Mapping[str, str]) -> tuple[str, ...]:
    """Fill the slots of ``values`` in a command's words; a value is never searched for slots."""
    return tuple(SLOT.sub(lambda slot: values.get(slot[1], slot[0]), word) for word in words)


def _cut(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"


def _short(span: timedelta) -> str:
    """A duration as the file writes it: ``90m``."""
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
