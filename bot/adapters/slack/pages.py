"""Divides the blocks of an answer among messages, or fits them into a view. Pure.

What belongs together, such as a card and its buttons, stays together: it is moved to the next message as a whole,
or left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from bot.adapters.slack.draft import Json, characters
from bot.domain.core.lazy_dataclass import dataclass

Unit = Sequence[Json]
"""Blocks that belong together."""


@dataclass(frozen=True)
class Room:
    """How many messages there may be, and what each may hold before buttons and a note are added."""

    messages: int
    blocks: int
    characters: int


MAX_BLOCKS = 45
"""Slack takes fifty: the rest is room for buttons and for notes on files, copies and who asked."""
MAX_CHARACTERS = 9_500
"""Per message, before buttons (up to 25 × 75) and a note are added; Slack refuses about 13,200."""
MAX_MESSAGES = 3
"""Messages per answer: with two partial answers that makes the five uses of a response URL."""
ANSWER = Room(MAX_MESSAGES, MAX_BLOCKS, MAX_CHARACTERS)
MESSAGE = Room(1, MAX_BLOCKS, MAX_CHARACTERS)
"""A message of the bot's own, which is posted and edited as one."""
VIEW = Room(1, 98, MAX_MESSAGES * MAX_CHARACTERS)
"""The Home tab or a modal: Slack takes a hundred blocks, of which one has the buttons."""


@dataclass
class _Page:
    """The blocks of a message, and how much of its room they take."""

    room: Room
    units: list[Unit] = field(default_factory=list)
    blocks: int = 0
    size: int = 0
    tables: int = 0

    def takes(self, *units: Unit) -> bool:
        """Whether there is room for these as well."""
        added = [block for unit in units for block in unit]
        return (
            self.blocks + len(added) <= self.room.blocks
            and self.size + characters(added) <= self.room.characters
            and self.tables + _tables(added) <= 1
        )

    def add(self, unit: Unit, sign: int = 1) -> None:
        """Add a unit; with the ``sign`` -1 only count it as gone."""
        if sign > 0:
            self.units.append(unit)
        self.blocks += sign * len(unit)
        self.size += sign * characters(list(unit))
        self.tables += sign * _tables(unit)

    def end_with(self, *last: Unit) -> None:
        """Add units at the end, in the place of as many others as have to make room."""
        while self.units and not self.takes(*last):
            self.add(self.units.pop(), -1)
        for unit in last:
            self.add(unit)


def divided(units: Sequence[Unit], tail: Unit, more: Json, room: Room) -> tuple[list[list[Json]], bool]:
    """Return the blocks of each message, and whether all found room.

    ``tail`` is the small print at the end. It stays where others are left out, and ``more`` says so before it.
    """
    pages, whole = [_Page(room)], True
    for unit in _that_fit([*units, tail], room):
        if not pages[-1].takes(unit):
            if len(pages) == room.messages:
                pages[-1].end_with([more], *([tail] if _Page(room).takes([more], tail) else []))
                whole = False
                break
            pages.append(_Page(room))
        pages[-1].add(unit)
    return [[block for unit in page.units for block in unit] for page in pages], whole


def _that_fit(units: Sequence[Unit], room: Room) -> Iterator[Unit]:
    """Yield the units; of one that is too large for a message, its blocks."""
    for unit in units:
        if _Page(room).takes(unit):
            yield unit
        else:
            yield from ([block] for block in unit)


def _tables(blocks: Sequence[Json]) -> int:
    return sum(block["type"] == "table" for block in blocks)
