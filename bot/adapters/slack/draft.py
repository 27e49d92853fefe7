"""The blocks of an answer while it is rendered, and the elements that they are made of. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any

from bot.adapters.slack import dates
from bot.domain.core import moments, words
from bot.domain.core.code import CODE
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Excerpt, Line, Mention, parts

Json = dict[str, Any]

PIECE = 2_800
"""Most characters of one element of text."""
EXCERPT = 2_500
"""Most characters of output that are shown."""
MOST_TITLES = 20
"""Most checks that are listed by name where nothing is to be said of them."""


@dataclass(frozen=True)
class File:
    """A text that is attached in full: it is too long for a message, or meant as a file."""

    name: str
    content: str


@dataclass
class Draft:
    """What is rendered so far. Each method adds something to it."""

    blocks: list[Json] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    attached: bool = True
    tables: bool = True
    now: datetime | None = None
    joined: set[int] = field(default_factory=set)
    """The numbers of the blocks that belong to the one before."""

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Keep what is added meanwhile in one message."""
        first = len(self.blocks) + 1
        yield
        self.joined.update(range(first, len(self.blocks)))

    def units(self) -> list[list[Json]]:
        """Return the blocks, with those that belong together in one list."""
        units: list[list[Json]] = []
        for number, block in enumerate(self.blocks):
            if number in self.joined:
                units[-1].append(block)
            else:
                units.append([block])
        return units

    def rich(self, *parts: Json) -> None:
        """Add a rich text block, unless it would be empty."""
        if parts:
            self.blocks.append({"type": "rich_text", "elements": list(parts)})

    def spans(self, text: str, **style: bool) -> Iterator[Json]:
        """Yield a text's elements: its moments as dates, everything else as text."""
        for part in moments.parts(text):
            yield element(part, **style) if isinstance(part, str) else dates.element(part, self.now, **style)

    def code(self, text: str, **style: bool) -> Json:
        """Return a text as code."""
        return element(moments.short(text, self.now), **style, code=True)

    def elements(self, line: Line) -> Iterator[Json]:
        """Yield a line's elements: mentions as elements that show names, and the others of `spans`."""
        for part in parts(line):
            if isinstance(part, Mention):
                yield {"type": part.kind, f"{part.kind}_id": part.id}
            else:
                for number, text in enumerate(CODE.split(part)):
                    for piece in pieces(text):
                        yield from [self.code(piece)] if number % 2 else self.spans(piece)

    def text(self, text: str, **style: bool) -> None:
        """Add a text as it is."""
        for piece in pieces(text):
            self.rich(section(*self.spans(piece, **style)))

    def prose(self, text: str, **style: bool) -> None:
        """Add a text of the bot's own, with what stands in backquotes as code."""
        for piece in pieces(text):
            elements: list[Json] = []
            for number, part in enumerate(CODE.split(piece)):
                elements += [self.code(part, **style)] if number % 2 else self.spans(part, **style)
            self.rich(section(*elements))

    def line(self, line: Line) -> None:
        """Add a line, in which mentions show names."""
        if isinstance(line, str):
            self.prose(line)
        else:
            self.rich(section(*self.elements(line)))

    def excerpt(self, excerpt: Excerpt, *, tail: bool = True) -> None:
        """Add lines of output. What does not fit is in a file; ``tail``: the last lines are shown."""
        if excerpt.attached:
            self.files.append(File(excerpt.filename, moments.bare(excerpt.text)))
            return
        if excerpt.title:
            self.text(excerpt.title, bold=True)
        text = moments.bare(excerpt.text).rstrip("\n")
        shown = _ends(text) if excerpt.ends else _fitting(text, tail)
        if shown != text:
            self.files.append(File(excerpt.filename or "output.txt", moments.bare(excerpt.text)))
            count, total = shown.count("\n") + (0 if excerpt.ends else 1), text.count("\n") + 1
            which = "first and last" if excerpt.ends else "last" if tail else "first"
            where = f"; all of it is in {excerpt.filename}" if self.attached else ""
            self.text(f"The {which} {count:,} of {total:,} lines{where}.", italic=True)
        body = [element(shown)] if shown else [element("(empty)")]
        self.rich({"type": "rich_text_preformatted", "elements": body})


def element(text: str, **style: bool) -> Json:
    """Return a text element of rich text."""
    return {"type": "text", "text": text, "style": style} if style else {"type": "text", "text": text}


def section(*elements: Json) -> Json:
    """Return a section of rich text."""
    return {"type": "rich_text_section", "elements": list(elements)}


def pieces(text: str, size: int = PIECE) -> Iterator[str]:
    """Split a text into pieces of at most ``size`` characters, at line ends where possible."""
    while len(text) > size:
        cut = text.rfind("\n", size // 2, size) + 1 or moments.whole_until(text, size)
        yield text[:cut]
        text = text[cut:]
    if text:
        yield text


def some(titles: Sequence[str]) -> list[str]:
    """At most `MOST_TITLES` titles, and how many more there are."""
    more = len(titles) - MOST_TITLES
    return [*titles[:MOST_TITLES], *([f"{more} more"] if more > 0 else [])]


def _ends(text: str) -> str:
    """The first and the last lines that fit; between them how many are left out."""
    if len(text) <= EXCERPT:
        return text
    half = EXCERPT // 2 - 40
    first, last = text[:half].rpartition("\n")[0], text[-half:].partition("\n")[2]
    left_out = text.count("\n") - first.count("\n") - last.count("\n") - 1
    return f"{first}\n… {words.plural(left_out, 'line')} left out …\n{last}"


def _fitting(text: str, tail: bool) -> str:
    if len(text) <= EXCERPT:
        return text
    if tail:
        part = text[-EXCERPT:]
        return part.partition("\n")[2] or part
    part = text[:EXCERPT]
    return part.rpartition("\n")[0] or part


def characters(value: Any) -> int:
    """Return the characters of a block's texts; a date's are those of its markup."""
    if isinstance(value, list):
        return sum(map(characters, value))
    if not isinstance(value, dict):
        return 0
    if value.get("type") == "date":
        return len(dates.markup(value))
    return sum(len(v) if k == "text" and isinstance(v, str) else characters(v) for k, v in value.items())
