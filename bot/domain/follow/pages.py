"""The messages that show a log which is followed: a full one stays, and the next one is begun. Pure.

The number of messages is bounded: the last one loses its oldest lines, and says how many.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.domain.core import words
from bot.domain.core.reply import Excerpt, Reply

MOST_CHARACTERS = 2_200
"""Maximum characters of a message: what a phone shows in a few screens, and less than an excerpt may have."""
MOST_LINES = 40
"""Maximum lines of a message, and so of an edit."""
MOST_PAGES = 10
MAX_WIDTH = 400
"""Maximum characters of a line that are shown."""


@dataclass
class Page:
    """One message: its lines, and whether what was sent last is still what it shows."""

    number: int
    lines: deque[str] = field(default_factory=deque)
    size: int = 0
    dropped: int = 0
    """Lines that were shown in it and are not any more."""
    sent: bool = False

    def fits(self, line: str) -> bool:
        """Whether a line has room."""
        return not self.lines or (len(self.lines) < MOST_LINES and self.size + len(line) + 1 <= MOST_CHARACTERS)

    def add(self, line: str) -> None:
        """Add a line at the end."""
        self.lines.append(line)
        self.size += len(line) + 1
        self.sent = False

    def drop(self) -> None:
        """Remove the oldest line."""
        self.size -= len(self.lines.popleft()) + 1
        self.dropped += 1

    def reply(self) -> Reply:
        """The message."""
        part = "The log" if self.number == 1 else f"The log, part {self.number}"
        gone = (
            f"{words.plural(self.dropped, 'line')} before these are not shown any more; `/agentpod logs` has them"
        )
        text = "\n".join(self.lines)
        return Reply(
            part, excerpts=(Excerpt(text, redacted=True),), notes=(gone,) if self.dropped else (), shareable=False
        )


class Pages:
    """All messages of a log that is followed."""

    def __init__(self) -> None:
        """Start without any."""
        self.pages: list[Page] = []
        self.count = self.skipped = 0
        """Lines that were shown, and that were not."""

    def add(self, lines: Sequence[str], skipped: int = 0) -> None:
        """Show the newest of these lines, as many as one message takes; ``skipped`` came before them."""
        kept = newest([cut(line) for line in lines])
        skipped += len(lines) - len(kept)
        self.count += len(kept)
        self.skipped += skipped
        if skipped:
            self._add(skipped_line(skipped))
        for line in kept:
            self._add(line)

    def remark(self, text: str) -> None:
        """Show a line of the bot's own."""
        self._add(f"— {text}")

    @property
    def unsent(self) -> list[Page]:
        """The messages to post or to edit."""
        return [page for page in self.pages if not page.sent]

    def _add(self, line: str) -> None:
        page = self.pages[-1] if self.pages else None
        if page is None or (not page.fits(line) and len(self.pages) < MOST_PAGES):
            page = Page(len(self.pages) + 1)
            self.pages.append(page)
        while not page.fits(line):
            page.drop()
        page.add(line)


def cut(line: str, width: int = MAX_WIDTH) -> str:
    """Cut a line to the width of a message."""
    return line if len(line) <= width else line[: width - 1] + "…"


def skipped_line(count: int) -> str:
    """Say how many lines are left out."""
    return f"… {words.plural(count, 'line')} skipped"


def newest(lines: Sequence[str]) -> list[str]:
    """Return the newest lines that fit into one message beside a line that says how many do not."""
    kept: list[str] = []
    size = len(skipped_line(1_000_000)) + 1
    for line in reversed(lines):
        size += len(line) + 1
        if len(kept) >= MOST_LINES - 1 or size > MOST_CHARACTERS:
            break
        kept.append(line)
    return kept[::-1]
